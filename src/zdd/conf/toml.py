"""
Reads TOML text into a Document.

The standard library's reader stops at the first mistake and knows no lines of what it has read. So a line that it
refuses is replaced, and the text is read again; and the lines of sections and keys are looked up in the text.
"""

import re
from pathlib import Path
from typing import Any

from zdd.conf.document import Broken, Document
from zdd.conf.refusals import Refusal, shown_in_line
from zdd.errors import UsageError, UsageErrors

_MOST_DOTS = 2000  # in a line
_MOST = 20  # mistakes of notation that are reported at once
_AT = r"(?s)(.*) \(at line ([0-9]+), (column [0-9]+)\)"
_TOO_LONG = "[0-9_]{4301,}"
_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"\\\n]*\"|'[^'\n]*')"
_SETTING = rf"[ \t]*{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*[ \t]*="
_UNREADABLE = "zdd: this value could not be read"


def parse(text: str, path: Path) -> Document:
    """Read the `text` of the file at `path`. Raises UsageError if it is not TOML."""
    tables, refused = _tables(text, path)
    sections: dict[str, dict[str, object]] = {}
    located: list[tuple[int | None, str]] = []

    def lines(section: str, key: str | None) -> int | None:
        from zdd.conf.toml_lines import line_of  # here, because only mistakes need it

        return line_of(text, section, key)

    for name, table in tables.items():
        if not isinstance(table, dict):
            what = f"{name} is outside of any section; move it into [zdd] or the one it belongs to"
            located.append((lines("", name), what))
            continue
        if name != "service":
            sections[name] = _readable(table)
            continue
        for service, values in table.items():
            if isinstance(values, dict):
                sections[f"service.{service}"] = _readable(values)
            else:
                what = f"[service] {service} belongs in the section of a service: [service.NAME]"
                located.append((lines("service", service), what))
    refused += [Refusal(path, line, what) for line, what in located]
    return Document(path, sections, typed=True, lines=lines, refused=refused)


def _tables(text: str, path: Path) -> tuple[dict[str, Any], list[UsageError]]:
    """Return what is in the text, and the mistakes of notation that could be skipped. Raises UsageError at others."""
    import tomllib  # here, because INI files do not need it

    refused: list[UsageError] = []
    _check_dots(text, path)
    lines = [*text.split("\n"), ""]  # the reader gives no line for a mistake at the end of the text
    while True:
        try:
            return tomllib.loads("\n".join(lines)), refused
        except RecursionError:
            raise Refusal(path, None, "not TOML that zdd reads: its values are nested too deeply") from None
        except ValueError as error:
            number, what = _located(str(error), lines)
            if _UNREADABLE not in lines[number - 1]:
                refused.append(Refusal(path, number, f"not TOML: {what}"))
                if len(refused) < _MOST and _skip(lines, number - 1, what):
                    continue
            raise (refused[0] if len(refused) == 1 else UsageErrors(refused)) from None


def _check_dots(text: str, path: Path) -> None:
    """Refuse a key of thousands of names: the time of the library's reader grows with the square of their number."""
    for number, line in enumerate(text.split("\n") if text.count(".") > _MOST_DOTS else (), 1):
        if line.count(".") > _MOST_DOTS:
            raise Refusal(path, number, f"not TOML that zdd reads: a line with more than {_MOST_DOTS} dots")


def _located(error: str, lines: list[str]) -> tuple[int, str]:
    """Return the line of a mistake, and what it is, with what stands in that line."""
    if at := re.fullmatch(_AT, error):
        return int(at[2]), f"{at[1]} ({at[3]}): {shown_in_line(lines[int(at[2]) - 1].strip(), 77)}"
    if error.startswith("Exceeds the limit"):
        number = next((number for number, line in enumerate(lines, 1) if re.search(_TOO_LONG, line)), 1)
        return number, "a number has too many digits"
    return len(lines) - 1, error


def _skip(lines: list[str], number: int, why: str) -> bool:
    """Replace the value in a line that is no TOML; return whether the rest of the text keeps its meaning then."""
    line = lines[number]
    setting = re.match(_SETTING, line)
    if not setting or any(sign in line for sign in ('"""', "'''")) or _is_open(line):
        return False
    lines[number] = "" if "overwrite" in why else f'{setting[0]} "{_UNREADABLE}"'
    return True


def _is_open(line: str) -> bool:
    """Return whether a value may go on in the next line."""
    return any(line.count(opened) != line.count(closed) for opened, closed in ("[]", "{}"))


def _readable(table: dict[str, Any]) -> dict[str, object]:
    return {key: Broken() if value == _UNREADABLE else value for key, value in table.items()}
