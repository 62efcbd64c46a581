"""
Reads a service's env_file.

Its syntax is what systemd's EnvironmentFile and dotenv (python-dotenv, Docker Compose) read alike, and what one of them
reads while the other does not know it, such as `export` and comments after a semicolon. A line that they read in
different ways is refused. docs/reference/env-file.md describes the syntax.
"""

from __future__ import annotations

import re
from pathlib import Path

from zdd.errors import UsageError
from zdd.host import foreign

_SKIPPED = re.compile(r"[ \t]*([#;][^\n]*)?(\n|\Z)")
_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?(?!export[ \t]*=)([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_PLAIN = re.compile(r"[^\n]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_END = re.compile(r"[ \t]*(\n|\Z)")
_VARIABLE = re.compile(r"\$[A-Za-z_{(]")
_READ_AS = {'\\"': '"', "\\\\": "\\", "\\$": "$"}
_CONTROL = re.compile(r"\0|\r")

_QUOTE = "put the value into single quotes: '...'"


class _Refused(Exception):  # noqa: N818  -- reads as what happened
    """A value is not read alike everywhere: why, what to do, and how many lines below its first line."""

    def __init__(self, why: str, cure: str, below: int = 0) -> None:
        super().__init__(why)
        self.why, self.cure, self.below = why, cure, below


def read(path: Path) -> dict[str, str]:
    """Return the variables of the file. Raises UsageError, with the line but never with a value."""
    try:
        data = foreign.data(str(path))
    except OSError as error:
        raise UsageError(f"cannot read env_file {path}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(path, data.count(b"\n", 0, error.start) + 1, "it is not UTF-8", "save the file as UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path) -> dict[str, str]:
    """Return the variables of the text of the file at `path`; of two lines with one name the later counts."""
    text = text.replace("\r\n", "\n")
    if control := _CONTROL.search(text):
        what = "a zero byte" if control[0] == "\0" else "a carriage return without a line feed"
        raise _error(path, _line(text, control.start()), f"it contains {what}", "remove it")
    variables: dict[str, str] = {}
    at = 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        name = _NAME.match(text, at)
        if not name:  # the line is not shown: it may be a secret
            raise _error(path, _line(text, at), "want NAME=VALUE", "NAME has letters, digits and _; # begins a comment")
        try:
            variables[name[1]], at = _value(text, name.end())
        except _Refused as refused:
            number = _line(text, name.start()) + refused.below
            raise _error(path, number, f"{name[1]}: {refused.why}", refused.cure) from None
    return variables


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where the next line begins."""
    if text[at : at + 1] == "'":
        value, end = _single(text, at)
    elif text[at : at + 1] == '"':
        value, end = _double(text, at)
    else:
        plain = _PLAIN.match(text, at)
        assert plain, "it matches the empty text, too"
        return _unquoted(plain[0].strip(" \t")), plain.end() + 1
    rest = _END.match(text, end)
    if not rest:
        below = text.count("\n", at, end)
        comment = text[end:].lstrip(" \t").startswith("#")
        why = "a comment follows the value" if comment else "something follows the closing quote"
        cure = "put the comment on a line of its own" if comment else f'for a quote inside, write {chr(92)}" in "..."'
        raise _Refused(f"{why}, which systemd reads as a part of it", cure, below)
    return value, rest.end()


def _unquoted(value: str) -> str:
    if re.search(r"(^|[ \t])#", value):
        cure = "put the comment on a line of its own, or the value into quotes if # is a part of it"
        raise _Refused("dotenv takes # for a comment, systemd for a part of the value", cure)
    if "\\" in value:
        raise _Refused("systemd removes a backslash outside of quotes, dotenv does not", _QUOTE)
    if value.startswith("`"):
        raise _Refused("some dotenv tools take a backtick for a quote", _QUOTE)
    _refuse_variables(value)
    return value


def _single(text: str, at: int) -> tuple[str, int]:
    quoted = _SINGLE.match(text, at)
    if quoted is None:
        raise _Refused("the quote ' is not closed", "close it, or use double quotes if it is a part of the value")
    if strange := re.search(r"\\('|\\|$)", text[at + 1 : quoted.end()]):
        below = text.count("\n", at, at + 1 + strange.start())
        why = "dotenv reads a backslash before ' or another backslash as an escape, systemd does not"
        raise _Refused(why, 'use double quotes, with \\\\ for a backslash: "..."', below)
    return quoted[1], quoted.end()


def _double(text: str, at: int) -> tuple[str, int]:
    quoted = _DOUBLE.match(text, at)
    if quoted is None:
        raise _Refused('the quote " is not closed', 'close it; inside of it, write \\" for a quote')

    def read_as(escape: re.Match[str]) -> str:
        if escape[0] in _READ_AS:
            return _READ_AS[escape[0]]
        below = quoted[0].count("\n", 0, escape.start() + 1)
        if escape[0] == "\\\n":
            raise _Refused("a backslash at the end of a line is read differently", "end the line without it", below)
        cure = "\\\\ is a backslash; a line break is written as one: the value may have several lines"
        raise _Refused(f"{escape[0]} is read differently by systemd and dotenv", cure, below)

    # Escapes are read from left to right, so that a `$` after one is seen as it was written.
    for part in re.split(r"\\.", quoted[1], flags=re.DOTALL):
        _refuse_variables(part)
    return re.sub(r"\\(.|\n)", read_as, quoted[1]), quoted.end()


def _refuse_variables(value: str) -> None:
    if variable := _VARIABLE.search(value):
        why = "dotenv replaces $NAME, ${NAME} and $(...) by something else, systemd does not"
        cure = f'{_QUOTE}, or write \\$ in "..."; zdd replaces nothing'
        raise _Refused(why, cure, value.count("\n", 0, variable.start()))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _error(path: Path, line: int, why: str, cure: str) -> UsageError:
    return UsageError(f"env_file {path}, line {line}: {why}", hint=cure)
