"""Readers turn raw values of a file into what they mean; each has a JSON Schema of what it accepts."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from msgspec import Struct

from zdd.conf import hosts
from zdd.conf.document import Document


class KindError(hosts.Mistake):
    """`value`, perhaps one item of a list, is not allowed."""

    def __init__(self, value: object, why: str | None = None, instead: str | list[str] | None = None) -> None:
        super().__init__(why, instead)
        self.value = value


Json = dict[str, Any]

_SWITCHES = ("true", "false", "on", "off", "yes", "no", "1", "0")
_HOME = "~[^/]*(?:/|$)"  # how a shell writes somebody's home at the beginning of a path


class Reader(Struct, frozen=True):
    """`read` turns a raw value into its meaning or raises KindError; `json` is the JSON Schema for TOML."""

    read: Callable[[object, Document], object]
    json: Json


def matching(pattern: str, json: str | None = None, judge: str | None = None) -> Reader:
    """
    Read text that matches `pattern` as a whole; `json` replaces a pattern that ECMA-262 does not support.

    The function `judge` of `mistakes` explains any other text, or returns what it means.
    """

    def read(value: object, _: Document) -> str:
        if not isinstance(value, str):
            raise KindError(value)
        is_address = judge and value.startswith("[")  # of IPv6, which no pattern can check
        return value if re.fullmatch(pattern, value) and not is_address else str(_judge(judge, value))

    return Reader(read, {"type": "string", "pattern": json or f"^(?:{pattern})$"})


def _judge(judge: str | None, value: object) -> object:
    """Return what the function `judge` of `mistakes` makes of the value. Raises KindError, also without a judge."""
    if not judge:
        raise KindError(value)
    from zdd.conf import mistakes  # here, because mistakes are rare

    try:
        return getattr(mistakes, judge)(str(value))
    except hosts.Mistake as mistake:
        raise KindError(value, mistake.why, mistake.instead) from None


def one_of(words: object) -> Reader:
    """Read one of the words of a Literal."""
    return Reader(matching("|".join(get_args(words))).read, {"enum": list(get_args(words))})


def many(item: Reader, at_least: int = 0) -> Reader:
    """Read a list, text with one item a line, or a single item."""

    def read(value: object, document: Document) -> list[object]:
        if isinstance(value, str):
            items: list[object] = [line.strip() for line in value.split("\n") if line.strip()]
        else:
            items = value if isinstance(value, list) else [value]
        if len(items) < at_least:
            raise KindError(value)
        return [item.read(part, document) for part in items]

    several = {"type": "array", "items": item.json, "minItems": at_least}
    return Reader(read, {"anyOf": [item.json, several]})


def whole(low: int, high: int) -> Reader:
    """Read a whole number between `low` and `high`, both allowed."""

    def read(value: object, document: Document) -> int:
        if isinstance(value, str) and not document.typed and re.fullmatch("[0-9]{1,9}", value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:  # a bool is an int, too
            raise KindError(value)
        return value

    return Reader(read, {"type": "integer", "minimum": low, "maximum": high})


def measured(
    parse: Callable[[str], object], pattern: str, number: Json, *, positive: bool = False, judge: str | None = None
) -> Reader:
    """
    Read text or a number with a parser of `units`; `pattern` and `number` describe roughly what it accepts.

    The function `judge` of `mistakes` explains any other value.
    """

    def read(value: object, _: Document) -> object:
        try:
            if type(value) not in (str, int, float):
                raise ValueError
            amount = parse(str(value))
        except ValueError:
            return _judge(judge, value)
        if positive and not amount:
            raise KindError(value)
        return amount

    return Reader(read, {"anyOf": [{"type": "string", "pattern": f"^(?:{pattern})$"}, number]})


def _without_home(value: object, document: Document) -> str:
    """Read text that is a path; `~` is a shell's word for a folder that depends on who deploys."""
    text = str(TEXT.read(value, document))
    if re.match(_HOME, text):
        whole = os.path.expanduser(text)
        raise KindError(value, "zdd does not replace ~", whole if whole != text else None)
    return text


def _path(value: object, document: Document) -> Path:
    # abspath, not resolve: a path through a symlink such as /srv/app/current must stay as it is.
    return Path(os.path.abspath(os.path.join(document.path.parent, _without_home(value, document))))


def _source(value: object, document: Document) -> str:
    text = _without_home(value, document)
    is_url = "://" in text or re.match(r"[^/]+:", text)  # git's own rule: a colon before the first slash
    return text if is_url else str(_path(text, document))


def _inside(value: object, document: Document) -> str:
    text = _without_home(value, document)
    path = os.path.normpath(text)
    if path in (".", "..") or path.startswith(("/", "../")):
        raise KindError(value)
    return path + "/" if text.endswith("/") else path  # with the slash it is a folder, even if it does not exist yet


def _listen(value: object, document: Document) -> str:
    text = str(value) if type(value) is int else value
    _ADDRESS.read(text, document)
    if not 1 <= int(str(text).rpartition(":")[2]) <= 65535:
        raise KindError(value)
    return str(_judge("listen", value)) if str(text).startswith("[") else str(text)


def _yes_no(value: object, document: Document) -> bool:
    if isinstance(value, str) and not document.typed:
        value = {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, bool):
        raise KindError(value)
    return value


def _folder(value: object, document: Document) -> str:
    return _inside(value, document).rstrip("/")


def _access_log(value: object, document: Document) -> bool | str:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("true", "false") and not document.typed:
        return word == "true"
    if word in _SWITCHES:  # no file's name
        raise KindError(value, "write it without quotes" if word in ("true", "false") else None)
    return str(_path(value, document))


def _signal(value: object, _: Document) -> str:
    import signal  # here, because it is rarely set

    name = str(value).upper().removeprefix("SIG")
    if not isinstance(value, str) or f"SIG{name}" not in signal.Signals.__members__:
        raise KindError(value)
    return name


def _pairs(value: object, document: Document) -> dict[str, str]:
    if isinstance(value, dict):
        pairs = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, str) and not document.typed:
        pairs = []
        for line in filter(None, value.split("\n")):
            key, equals, item = line.partition("=")
            if not equals:
                raise KindError(line)
            pairs.append((key.strip(), item.strip()))
    else:
        raise KindError(value)
    result: dict[str, str] = {}
    for key, item in pairs:
        item = str(item) if type(item) is int else item
        if not isinstance(item, str) or "\0" in item or not re.fullmatch(r"[^\s=\0]+", key) or key in result:
            raise KindError(key)  # not the value, which may be a secret
        result[key] = item
    return result


# Texts that end up in nginx.conf must not end or split a directive.
TEXT = matching(r"(?s)(?=.*\S)[^\0]+", json=r"\S")
SERVER_NAME = matching(hosts.SERVER_NAME, hosts.as_typed(hosts.SERVER_NAME), "server_name")
HEADER = matching(hosts.HEADER, hosts.as_typed(hosts.HEADER), "header")
_ADDRESS = matching(hosts.LISTEN)

_WITHOUT_HOME: Json = {"type": "string", "pattern": f"^(?!{_HOME})[\\s\\S]*\\S"}
PATH = Reader(_path, _WITHOUT_HOME)
SOURCE = Reader(_source, _WITHOUT_HOME)
INSIDE = Reader(_inside, _WITHOUT_HOME)
LISTEN = Reader(_listen, {"anyOf": [_ADDRESS.json, {"type": "integer", "minimum": 1, "maximum": 65535}]})
YES_NO = Reader(_yes_no, {"type": "boolean"})
FOLDER = Reader(_folder, _WITHOUT_HOME)
ACCESS_LOG = Reader(_access_log, {"anyOf": [{"type": "boolean"}, _WITHOUT_HOME]})
SIGNAL = Reader(_signal, TEXT.json)
ENV = Reader(_pairs, {"type": "object", "additionalProperties": {"type": ["string", "integer"]}})
