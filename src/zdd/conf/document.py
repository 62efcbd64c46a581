"""The content of a configuration file, before it is interpreted."""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from zdd.conf.refusals import Refusal, shown_in_line, written
from zdd.errors import UsageError

Lines = Callable[[str, str | None], int | None]
"""Returns the line of a section's header, or of one of its keys; None if it is unknown."""


class Broken(Struct, frozen=True):
    """A value that could not be read; an error only if it is used. Without a reason the error is already reported."""

    reason: str | None = None


class Document(Struct, frozen=True):
    """
    Sections in file order, named as in the file: `service.web` in TOML, `service:web` in INI.

    `path` is absolute. `typed` is true for TOML, whose values have types, and false for INI, whose values are text.
    `classic` names the sections read by the rules of the 2011 tool, `quiet` their keys that came from [DEFAULT] or are
    only used in other values. `refused` are mistakes that do not prevent reading the rest of the file.
    """

    path: Path
    sections: dict[str, dict[str, object]]
    typed: bool
    classic: frozenset[str] = frozenset()
    quiet: dict[str, frozenset[str]] = {}
    lines: Lines = lambda _section, _key: None
    refused: Sequence[UsageError] = ()

    @property
    def service_prefix(self) -> str:
        """The prefix of a service's section in this kind of file."""
        return "service." if self.typed else "service:"

    def setting(self, key: str, value: object) -> str:
        """Return `key = value` in one line, in the syntax of this kind of file."""
        if not isinstance(value, str):
            return f"{key} = {written(value)}"
        shown = shown_in_line(value, 77)
        return f'{key} = "{shown}"' if self.typed else f"{key} = {shown}".rstrip()

    def advice(self, why: str | None, instead: str | list[str] | None) -> str:
        """Return the end of a message: why a value is wrong and what to write, in the syntax of this file."""
        if isinstance(instead, list):
            items = ", ".join(f'"{item}"' if self.typed else item for item in instead)
            what = f"write [{items}]" if self.typed else f"write each in a line of its own: {items}"
        else:
            what = f'write "{instead}"' if self.typed else f"write {instead}"
        said = [why, *([what] if instead else [])]
        return "; " + ": ".join(filter(None, said)) if any(said) else ""

    def error(self, section: str, what: str, *, key: str | None = None, hint: str | None = None) -> Refusal:
        """Return the error for a section, or for one of its keys; `what` is wrong in it."""
        return Refusal(self.path, self.lines(section, key), f"[{section}] {what}", section=section, hint=hint)
