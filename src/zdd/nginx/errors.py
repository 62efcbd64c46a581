import errno

from zdd.errors import DeployFailed, UsageError, ZddError


class ProxyError(DeployFailed):
    """
    nginx would not take a text, start or reload; the message has its own words. What it ran before, it runs.

    Not `certain`: it did not say so, and may yet take the text.
    """

    def __init__(self, message: str, *, hint: str | None = None, certain: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.certain = certain


def unwritable(message: str, error: OSError, hint: str | None = None) -> ZddError:
    """Return what to raise where a text cannot be written: a full disk is no mistake in the configuration."""
    return ProxyError(message) if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError(message, hint=hint)
