"""What zdd tells a person when it stops: one sentence, perhaps a hint, and an exit code."""

from zdd import secret


def counted(number: int, noun: str) -> str:
    """
    Return the number with the noun.

    >>> counted(1, "connection"), counted(2, "connection")
    ('1 connection', '2 connections')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class ZddError(Exception):
    """
    The message says what happened, to what, and why, in one line; `hint` says what to do next.

    Both are shown without secrets. `aftermath` is for who carried the change out to say: what serves now.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = secret.hide(message)
        self.hint = secret.hide(hint) if hint else None
        super().__init__(self.message)
        self.aftermath: str | None = None


class DeployFailed(ZddError):  # noqa: N818 -- reads as what happened
    """The new version did not make it; what served before still serves."""

    exit_code = 1


class UsageError(ZddError):
    """Usage, configuration or environment is wrong, found before anything was touched."""

    exit_code = 2


class Locked(ZddError):  # noqa: N818 -- reads as what happened
    """Somebody else is changing this project."""

    exit_code = 3


class NeedsPerson(ZddError):  # noqa: N818 -- reads as what happened
    """zdd can neither go on nor undo by itself."""

    exit_code = 5
