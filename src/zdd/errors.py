"""Why zdd stops: one sentence for a person, perhaps a hint, and an exit code."""

import os
from collections.abc import Sequence
from typing import Self

from zdd import secret

_SHOWN_LINES = 20  # of a program's output
_LONGEST = 500  # characters of a line of output that are shown


def counted(number: int, noun: str) -> str:
    """
    Return the number with the noun.

    >>> counted(1, "connection"), counted(2, "connection")
    ('1 connection', '2 connections')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten(names: Sequence[str], most: int) -> str:
    """
    Return the names, but of many only the first.

    >>> shorten(["a", "b", "c"], 2), shorten(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class ZddError(Exception):
    """
    The message says in one line what happened, to what, and why; `hint` says what to do next.

    Both are shown without secrets. The command that made the change sets `now_serving`: what serves now. `is_reported`
    means that an event has shown the rest already. Errors of programs also have `output`, the last lines of the
    program's output, and `log`, the file with all of it.
    """

    exit_code: int = 1
    output: list[str]
    log: str | None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = secret.hide(message)
        self.hint = secret.hide(hint) if hint else None
        super().__init__(self.message)
        self.now_serving: str | None = None
        self.is_reported = False


def last_words(error: BaseException) -> list[str]:
    """Return the last output of the program whose failure caused the error; long lines are cut."""
    failed = error if hasattr(error, "output") else error.__cause__
    return [line if len(line) <= _LONGEST else line[:_LONGEST] + "..." for line in getattr(failed, "output", ())]


def of_system(error: OSError) -> str:
    """Return in one line what the system refused, and for which file."""
    what = error.strerror or os.strerror(error.errno or 0) if error.errno else str(error)
    return f"{error.filename}: {what}" if error.filename else what


class DeployFailed(ZddError):  # noqa: N818 -- reads as what happened
    """The deploy failed; what served before still serves."""

    exit_code = 1


class ProgramFailed(DeployFailed):
    """A program failed: `output` is the last it printed, `log` is the file with the rest, None if it never ran."""

    def __init__(self, message: str, output: Sequence[str], log: str | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = list(output[-_SHOWN_LINES:])
        self.log = log


class UsageError(ZddError):
    """Usage, configuration or environment is wrong; nothing was changed."""

    exit_code = 2


class UsageErrors(UsageError):  # noqa: N818 -- several of them
    """Several mistakes, each in a line of its own."""

    def __init__(self, errors: Sequence[UsageError]) -> None:
        hints = dict.fromkeys(error.hint for error in errors if error.hint)
        super().__init__("\n".join(error.message for error in errors), hint="\n  ".join(hints) or None)
        self.errors = list(errors)


class Locked(ZddError):  # noqa: N818 -- reads as what happened
    """Another command is changing this project."""

    exit_code = 3


class Unforeseen(ZddError):  # noqa: N818  -- reads as what happened
    """A bug in zdd itself; `__cause__` is the Python exception."""

    exit_code = 1

    def __init__(self, error: BaseException, doing: str = "") -> None:
        where = f"{doing}: " if doing else ""
        super().__init__(f"{where}a mistake in zdd itself: {type(error).__name__}: {error}")
        self.__cause__ = error


def as_zdd_error(error: Exception) -> ZddError:
    """Return the error itself if zdd raised it, else a ZddError that describes it."""
    if isinstance(error, ZddError):
        return error
    if not isinstance(error, OSError):
        return Unforeseen(error)
    return ZddError(of_system(error), hint=getattr(error, "cure", None))


class NeedsPerson(ZddError):  # noqa: N818 -- reads as what happened
    """zdd can neither continue nor undo; a person must act."""

    exit_code = 5


class NotMended(NeedsPerson):
    """`recover` could not repair what is broken; what served before serves as it did."""

    @classmethod
    def by(cls, error: ZddError) -> Self:
        """Return the same error, as one that needs a person."""
        severe = cls(error.message, hint=error.hint or "put that right, then run `zddeploy`")
        severe.__cause__ = error
        if hasattr(error, "output"):
            severe.output, severe.log = error.output, error.log
        return severe
