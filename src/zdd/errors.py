"""What zdd tells a person when it stops: one sentence, perhaps a hint, and an exit code."""

import os
from collections.abc import Sequence

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
    Return the names, of many only the first ones.

    >>> shorten(["a", "b", "c"], 2), shorten(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class ZddError(Exception):
    """
    The message says what happened, to what, and why, in one line; `hint` says what to do next.

    Both are shown without secrets. `now_serving` is for who carried the change out to say: what serves now. Errors of
    programs also have `output`, the last that the program has printed, and `log`, where all of it is.
    """

    exit_code: int = 1
    output: list[str]
    log: str | None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = secret.hide(message)
        self.hint = secret.hide(hint) if hint else None
        super().__init__(self.message)
        self.now_serving: str | None = None


def last_words(error: BaseException) -> list[str]:
    """Return the last output of the program whose failure this is, or follows from; of long lines the beginning."""
    failed = error if hasattr(error, "output") else error.__cause__
    return [line if len(line) <= _LONGEST else line[:_LONGEST] + "..." for line in getattr(failed, "output", ())]


def of_system(error: OSError) -> str:
    """Say in one line what the system refused, and for which file."""
    what = error.strerror or os.strerror(error.errno or 0) if error.errno else str(error)
    return f"{error.filename}: {what}" if error.filename else what


class DeployFailed(ZddError):  # noqa: N818 -- reads as what happened
    """The new version did not make it; what served before still serves."""

    exit_code = 1


class ProgramFailed(DeployFailed):
    """A program failed: `output` is the last it printed, `log` is the file with the rest, None if it never ran."""

    def __init__(self, message: str, output: Sequence[str], log: str | None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = list(output[-_SHOWN_LINES:])
        self.log = log


class UsageError(ZddError):
    """Usage, configuration or environment is wrong, found before anything was touched."""

    exit_code = 2


class Locked(ZddError):  # noqa: N818 -- reads as what happened
    """Somebody else is changing this project."""

    exit_code = 3


class Unforeseen(ZddError):  # noqa: N818  -- reads as what happened
    """A mistake in zdd itself; `__cause__` is what Python raised."""

    exit_code = 1

    def __init__(self, error: BaseException, doing: str = "") -> None:
        where = f"{doing}: " if doing else ""
        super().__init__(f"{where}a mistake in zdd itself: {type(error).__name__}: {error}")
        self.__cause__ = error


def as_zdd_error(error: Exception) -> ZddError:
    """Return what to tell of any error: itself where zdd raised it."""
    if isinstance(error, ZddError):
        return error
    return ZddError(of_system(error)) if isinstance(error, OSError) else Unforeseen(error)


class NeedsPerson(ZddError):  # noqa: N818 -- reads as what happened
    """zdd can neither go on nor undo by itself."""

    exit_code = 5
