"""
Reads INI text into a Document.

A file is scanned once; each section is then read in one of two ways. Strict sections are literal: no interpolation,
no comments after values, no duplicates. Classic sections are read like Python 2's SafeConfigParser did, as deploy.conf
files from 2011 must keep their meaning.
"""

import re
from pathlib import Path

from msgspec import Struct

from zdd.conf.document import Broken, Document
from zdd.errors import UsageError

_HEADER = re.compile(r"\[([^]]+)\]")
_OPTION = re.compile(r"([^:=\s][^:=]*)[:=](.*)")
_MAX_DEPTH = 10  # levels of interpolation, as in the old parser
_NEVER_CLASSIC = ("zdd", "release")  # sections the old tool did not have


class _Entry(Struct):
    line: int
    key: str
    value: str
    more: list[str]  # the lines that continue it, stripped


class _Section(Struct):
    lines: list[int]  # where its headers are
    entries: list[_Entry]

    def sets(self, key: str) -> bool:
        return any(entry.key.lower() == key for entry in self.entries)


def parse(text: str, path: Path) -> Document:
    """Read the `text` of the file at `path`. Raises UsageError if it is not INI or a strict section has duplicates."""
    sections = _scan(text, path)
    defaults = sections.pop("DEFAULT", None)
    services = {name: _is_classic(section, defaults) for name, section in sections.items() if name[:8] == "service:"}
    classic = {name for name, is_classic in services.items() if is_classic}
    if services and len(classic) == len(services):
        classic.update(name for name in sections if name not in _NEVER_CLASSIC)
    if defaults and not classic:
        raise UsageError(f"{path}: line {defaults.lines[0]}: [DEFAULT] is only for classic services, those with start")

    values: dict[str, dict[str, object]] = {}
    quiet: dict[str, frozenset[str]] = {}
    for name, section in sections.items():
        if name in classic:
            values[name], quiet[name] = _classic(name, section, defaults)
        else:
            values[name] = _strict(name, section, path)
    return Document(path, values, typed=False, classic=frozenset(classic), quiet=quiet)


def _is_classic(section: _Section, defaults: _Section | None) -> bool:
    if section.sets("run"):
        return False  # with start, too, it is an error, reported later
    return section.sets("start") or (defaults is not None and defaults.sets("start"))


def _scan(text: str, path: Path) -> dict[str, _Section]:
    sections: dict[str, _Section] = {}
    section: _Section | None = None
    entry: _Entry | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line[0] in "#;" or re.match(r"rem(\s|$)", line, re.IGNORECASE):
            continue
        if line[0].isspace() and entry:
            entry.more.append(line.strip())
        elif match := _HEADER.match(line):
            section = sections.setdefault(match[1], _Section([], []))
            section.lines.append(number)
            entry = None
        elif section is None:
            raise UsageError(f"{path}: not INI: line {number}: {line.strip()!r} comes before any [section]")
        elif match := _OPTION.match(line):
            entry = _Entry(number, match[1].rstrip(), match[2], [])
            section.entries.append(entry)
        else:
            why = "is indented, but there is no value to continue" if line[0].isspace() else "is not key = value"
            raise UsageError(f"{path}: not INI: line {number}: {line.strip()!r} {why}")
    return sections


def _strict(name: str, section: _Section, path: Path) -> dict[str, object]:
    if len(section.lines) > 1:
        raise UsageError(f"{path}: line {section.lines[1]}: [{name}] is there twice, first in line {section.lines[0]}")
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    for entry in section.entries:
        if entry.key in values:
            what = f"line {entry.line}: [{name}] {entry.key} is set twice, first in line {lines[entry.key]}"
            raise UsageError(f"{path}: {what}")
        more = [line for line in entry.more if line[0] not in "#;"]
        values[entry.key] = "\n".join([entry.value.strip(), *more]).strip()
        lines[entry.key] = entry.line
    return values


def _classic(name: str, section: _Section, defaults: _Section | None) -> tuple[dict[str, object], frozenset[str]]:
    inherited = {entry.key.lower(): _old_value(entry) for entry in defaults.entries} if defaults else {}
    own = {entry.key.lower(): _old_value(entry) for entry in section.entries}
    scope = inherited | {"__name__": name} | own
    used: set[str] = set()
    values: dict[str, object] = {}
    for key in inherited | own:
        try:
            values[key] = _interpolate(scope[key], scope, used)
        except ValueError as error:
            values[key] = Broken(str(error))
    return values, frozenset(used | (inherited.keys() - own.keys()))


def _old_value(entry: _Entry) -> str:
    value = entry.value.lstrip()
    comment = value.find(";")
    # Only the first semicolon can start a comment. At 0 the old parser looked at the last character instead.
    if comment >= 0 and value[comment - 1].isspace():
        value = value[:comment]
    value = value.strip()
    return "\n".join(["" if value == '""' else value, *entry.more])


def _interpolate(value: str, scope: dict[str, str], used: set[str], depth: int = 1) -> str:
    if depth > _MAX_DEPTH:
        raise ValueError(f"its %(...)s go deeper than {_MAX_DEPTH} levels")

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] is None:
            raise ValueError("a % must be followed by % or (key)s")
        key = match[1].lower()
        if key not in scope:
            raise ValueError(f"{match[0]} names no key of the section or of [DEFAULT]")
        used.add(key)
        return _interpolate(scope[key], scope, used, depth + 1) if "%" in scope[key] else scope[key]

    return re.sub(r"%%|%\(([^)]+)\)s|%", replacement, value)
