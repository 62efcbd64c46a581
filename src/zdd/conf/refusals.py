"""What is wrong with a configuration file: each mistake with its line, and all of them in one error."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from zdd.errors import UsageError, UsageErrors

_MOST = 700  # characters of a mistake; what the file says in them is cut before, except in unusual places


class Refusal(UsageError):  # noqa: N818 -- reads as what happened
    """One mistake in a configuration file; the line is None if it is unknown or if the whole file is meant."""

    def __init__(
        self, path: Path, line: int | None, what: str, *, section: str | None = None, hint: str | None = None
    ) -> None:
        where = f"{path}: line {line}" if line else f"{path}"
        super().__init__(shown_in_line(f"{where}: {what}", len(str(path)) + _MOST), hint=hint)
        self.line = line
        self.what = what
        self.section = section


class Refusals:
    """Collects mistakes, so that a person sees all of them at once."""

    def __init__(self) -> None:
        self.errors: list[UsageError] = []

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Collect the mistake that is raised here, if one is."""
        try:
            yield
        except UsageError as error:
            self.add([error])

    def add(self, errors: Iterable[UsageError]) -> None:
        """Collect these mistakes."""
        for error in errors:
            self.errors += error.errors if isinstance(error, UsageErrors) else [error]

    def raise_any(self) -> None:
        """Raise what was collected, in the order of the lines: one mistake as it is, several as UsageErrors."""
        errors = sorted(self.errors, key=lambda error: getattr(error, "line", None) or 0)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise UsageErrors(errors)


def shown_in_line(text: str, most: int) -> str:
    r"""
    Return a text as a message shows it: long ones cut, and characters that would change the line escaped.

    >>> shown_in_line("a\tb\x1bc", 77), shown_in_line("abcdefgh", 4)
    ('a\\tb\\x1bc', 'abcd...')
    """
    text = text if len(text) <= most + 3 else text[:most] + "..."
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def written(value: object) -> str:
    """Return a value that is no text as TOML writes it, or nearly so, cut if it is long."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a hundred tables in each other
        return f"({'a number' if isinstance(value, int) else 'a value'} too large to show)"
    return shown_in_line(shown.lower() if isinstance(value, bool) else shown, 77)
