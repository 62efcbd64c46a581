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
from zdd.conf.refusals import Refusal

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

    def line_of(self, key: str | None) -> int:
        """Return the line of the key, or of the header if the section has no such key."""
        lines = [entry.line for entry in self.entries if key in (entry.key, entry.key.lower())]
        return (lines or self.lines)[0]


def parse(text: str, path: Path) -> Document:
    """Read the `text` of the file at `path`; lines that are no INI and duplicates are mistakes of the Document."""
    refused: list[Refusal] = []
    sections = _scan(text, path, refused)
    defaults = sections.pop("DEFAULT", None)
    services = {name: _is_classic(section, defaults) for name, section in sections.items() if name[:8] == "service:"}
    classic = {name for name, is_classic in services.items() if is_classic}
    if services and len(classic) == len(services):
        classic.update(name for name in sections if name not in _NEVER_CLASSIC)
    if defaults and not classic:
        what = "[DEFAULT] is only for classic services, those with start"
        refused.append(Refusal(path, defaults.lines[0], what))

    values: dict[str, dict[str, object]] = {}
    quiet: dict[str, frozenset[str]] = {}
    for name, section in sections.items():
        if name in classic:
            values[name], quiet[name] = _classic(name, section, defaults)
        else:
            values[name] = _strict(name, section, path, refused)

    def lines(name: str, key: str | None) -> int | None:
        return sections[name].line_of(key) if name in sections else None

    return Document(path, values, typed=False, classic=frozenset(classic), quiet=quiet, lines=lines, refused=refused)


def _is_classic(section: _Section, defaults: _Section | None) -> bool:
    if section.sets("run") or section.sets("static"):
        return False  # with start, too, it is an error, reported later
    return section.sets("start") or (defaults is not None and defaults.sets("start"))


def _scan(text: str, path: Path, refused: list[Refusal]) -> dict[str, _Section]:
    """Return the sections of the text; lines that are no INI are refused and skipped."""
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
        elif section and (match := _OPTION.match(line)):
            entry = _Entry(number, match[1].rstrip(), match[2], [])
            section.entries.append(entry)
        else:
            why = _why(line, before_any=section is None)
            refused.append(Refusal(path, number, f"not INI: {_cut(line.strip())!r} {why}"))
            if line[0] == "[":  # a header with a mistake: what follows belongs to no other section
                section, entry = _Section([number], []), None
    return sections


def _cut(line: str) -> str:
    return line if len(line) <= 80 else line[:77] + "..."


def _why(line: str, before_any: bool) -> str:
    if line[0] == "[":
        return "is no [section]"
    if before_any:
        return "comes before any [section]"
    return "is indented, but there is no value to continue" if line[0].isspace() else "is not key = value"


def _strict(name: str, section: _Section, path: Path, refused: list[Refusal]) -> dict[str, object]:
    twice = f"[{name}] is there twice, first in line {section.lines[0]}"
    refused += [Refusal(path, line, twice) for line in section.lines[1:]]
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    for entry in section.entries:
        if entry.key in values:
            what = f"[{name}] {entry.key} is set twice, first in line {lines[entry.key]}"
            refused.append(Refusal(path, entry.line, what))
            continue
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
