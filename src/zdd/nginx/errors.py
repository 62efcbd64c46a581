import errno

from zdd.errors import DeployFailed, UsageError, ZddError


class ProxyError(DeployFailed):
    """
    nginx refused a text, a start or a reload; the message quotes nginx. What nginx ran before, it still runs.

    Not `certain`: nginx did not say that it refuses, and may still take the text.
    """

    def __init__(self, message: str, *, hint: str | None = None, certain: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.certain = certain


def unwritable(message: str, error: OSError, hint: str | None = None) -> ZddError:
    """Return the error for a text that cannot be written; a full disk is not a mistake in the configuration."""
    return ProxyError(message) if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError(message, hint=hint)
