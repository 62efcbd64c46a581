from zdd.errors import DeployFailed


class ProxyError(DeployFailed):
    """
    nginx would not take a text, start or reload; the message has its own words. What it ran before, it runs.

    Not `certain`: it did not say so, and may yet take the text.
    """

    def __init__(self, message: str, *, hint: str | None = None, certain: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.certain = certain
