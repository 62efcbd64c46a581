"""The content of a configuration file, before it is interpreted."""

from pathlib import Path

from msgspec import Struct

from zdd.errors import UsageError


class Broken(Struct, frozen=True):
    """A value that could not be read; an error only if it is used."""

    reason: str


class Document(Struct, frozen=True):
    """
    Sections in file order, named as in the file: `service.web` in TOML, `service:web` in INI.

    `path` is absolute. `typed` is true for TOML, whose values have types, and false for INI, whose values are text.
    `classic` names the sections read by the rules of the 2011 tool, `quiet` their keys that came from [DEFAULT] or are
    only used in other values.
    """

    path: Path
    sections: dict[str, dict[str, object]]
    typed: bool
    classic: frozenset[str] = frozenset()
    quiet: dict[str, frozenset[str]] = {}

    @property
    def service_prefix(self) -> str:
        """The prefix of a service's section in this kind of file."""
        return "service." if self.typed else "service:"

    def setting(self, key: str, value: object) -> str:
        """Return `key = value` in one line, in the syntax of this kind of file."""
        if not isinstance(value, str):
            return f"{key} = {repr(value).lower() if isinstance(value, bool) else repr(value)}"
        shown = value if len(value) <= 80 else value[:77] + "..."
        shown = shown if shown.isprintable() else shown.encode("unicode_escape").decode()
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

    def error(self, section: str, what: str, *, hint: str | None = None) -> UsageError:
        """Return the error for a section; `what` is wrong in it."""
        text = f"{self.path}: [{section}] {what}"
        return UsageError(text.replace("\n", "\\n"), hint=hint)  # TOML keys may hold anything


def from_toml(text: str, path: Path) -> Document:
    """Read the `text` of the file at `path`. Raises UsageError if it is not TOML or has values outside of sections."""
    import tomllib  # here, because INI files do not need it

    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    sections = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name} is outside of any section; move it into [zdd] or the one it belongs to")
        if name != "service":
            sections[name] = table
            continue
        for service, values in table.items():
            if not isinstance(values, dict):
                raise UsageError(f"{path}: [service] {service} belongs in the section of a service: [service.NAME]")
            sections[f"service.{service}"] = values
    return Document(path, sections, typed=True)
