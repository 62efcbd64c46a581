"""What a value may be. Each kind is declared once, for reading it, for saying what is allowed and for the reference."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from zdd.conf import hosts, paths, units
from zdd.conf.document import Document
from zdd.conf.units import Statuses


class KindError(ValueError):
    """`value`, which may be one item of a list, is not what its kind allows; perhaps why, and what would be right."""

    def __init__(self, value: object, why: str | None = None, instead: str | list[str] | None = None) -> None:
        super().__init__(value)
        self.value = value
        self.why = why
        self.instead = instead


Json = dict[str, Any]


class Reader(Struct, frozen=True):
    """`read` turns a raw value into what it means or raises KindError; `json` is JSON Schema: what TOML may say."""

    read: Callable[[object, Document], object]
    json: Json


class Kind(Struct, frozen=True):
    """`allowed` ends the sentence "must be ..."; `write` turns what was read back into what a file says."""

    allowed: str
    reader: Reader
    write: Callable[[Any], object]


def kind(allowed: str, reader: Reader, write: Callable[[Any], object] = lambda value: value) -> Meta:
    """Return the annotation that makes a type a kind."""
    return Meta(extra={"kind": Kind(allowed, reader, write)})


def kind_of(annotation: object) -> Kind | None:
    """Return the kind declared in `annotation`, however deep in it."""
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and isinstance(found := meta.extra.get("kind"), Kind):
            return found
    return next((found for part in getattr(annotation, "__args__", ()) if (found := kind_of(part))), None)


# Readers


def matching(pattern: str, json: str | None = None) -> Reader:
    """Read text that matches all of `pattern`; `json` is one for a search, where ECMA-262 does not know this one."""

    def read(value: object, _: Document) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise KindError(value)
        return value

    return Reader(read, {"type": "string", "pattern": json or f"^(?:{pattern})$"})


def judged(pattern: str, json: str, judge: str) -> Reader:
    """Read text that matches all of `pattern`; of any other the function `judge` of `mistakes` says what it is."""

    def read(value: object, _: Document) -> str:
        if not isinstance(value, str):
            raise KindError(value)
        return value if _is_plain(pattern, value) else str(_judge(judge, value))

    return Reader(read, {"type": "string", "pattern": json})


def _is_plain(pattern: str, value: str) -> bool:
    return bool(re.fullmatch(pattern, value)) and not value.startswith("[")  # of an IPv6 address no pattern can tell


def _judge(judge: str, value: object) -> object:
    from zdd.conf import mistakes  # here, because few make one

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
        return [item.read(one, document) for one in items]

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
    Read text or a number with a parser of `units`; what matches `pattern` and `number` is roughly what it takes.

    The function `judge` of `mistakes` says what is wrong with any other.
    """

    def read(value: object, _: Document) -> object:
        try:
            if type(value) not in (str, int, float):
                raise ValueError
            amount = parse(str(value))
        except ValueError:
            if judge:
                _judge(judge, value)
            raise KindError(value) from None
        if positive and not amount:
            raise KindError(value)
        return amount

    return Reader(read, {"anyOf": [{"type": "string", "pattern": f"^(?:{pattern})$"}, number]})


def _path(value: object, document: Document) -> Path:
    # abspath and not resolve: a path through a symlink such as /srv/app/current must stay one.
    return Path(os.path.abspath(os.path.join(document.path.parent, str(_text.read(value, document)))))


def _source(value: object, document: Document) -> str:
    text = str(_text.read(value, document))
    is_url = "://" in text or re.match(r"[^/]+:", text)  # git's own rule: a colon before the first slash
    return text if is_url else str(_path(text, document))


def _inside(value: object, document: Document) -> str:
    text = str(_text.read(value, document))
    path = os.path.normpath(text)
    if path in (".", "..") or path.startswith(("/", "../")):
        raise KindError(value)
    return path + "/" if text.endswith("/") else path  # with the slash it is a folder, also while it does not exist


def _listen(value: object, document: Document) -> str:
    text = str(value) if type(value) is int else value
    _address.read(text, document)
    if not 1 <= int(str(text).rpartition(":")[2]) <= 65535:
        raise KindError(value)
    if str(text).startswith("["):
        _judge("listen", value)
    return str(text)


def _signal(value: object, _: Document) -> str:
    import signal  # here, because few set it

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


# In the texts that end up in nginx.conf nothing may end a directive, and quotes and spaces would split one.
_text = matching(r"(?s)(?=.*\S)[^\0]+", json=r"\S")
_server_name = judged(hosts.SERVER_NAME, hosts.as_typed(hosts.SERVER_NAME), "server_name")
_header = judged(hosts.HEADER, hosts.as_typed(hosts.HEADER), "header")
_address = matching(hosts.LISTEN)

_port = {"type": "integer", "minimum": 1, "maximum": 65535}
_pair = {"type": ["string", "integer"]}

SocketWay = Literal["fd", "unix", "tcp", "none"]
StartOrder = Literal["start-first", "stop-first"]
RuntimeName = Literal["auto", "node", "none"]

# Kinds

_A_DURATION = "such as 500ms, 30s, 5m, 1h"

Text = Annotated[str, kind("text, not empty", _text)]
Shell = Annotated[str, kind("a shell command", _text)]
Command = Annotated[str, kind("a command", _text)]
AbsPath = Annotated[Path, kind("a path", Reader(_path, _text.json), str)]
_LENGTH: tuple[str, Json] = (r"[0-9]+(\.[0-9]+)?(ms|s|m|h)?", {"type": "number", "minimum": 0})
_BYTES: tuple[str, Json] = ("[0-9]{1,15}[kmgKMG]?", {"type": "integer", "minimum": 0})
_STATUSES: tuple[str, Json] = (
    r"(?=.*\b[2-5][0-9]{2})\s*[1-5][0-9]{2}\s*([,-]\s*[1-5][0-9]{2}\s*)*",
    {"type": "integer", "minimum": 200, "maximum": 599},
)

Duration = Annotated[float, kind(f"a duration {_A_DURATION}", measured(units.seconds, *_LENGTH), units.duration)]
Timeout = Annotated[
    float,
    kind(f"a duration longer than 0 {_A_DURATION}", measured(units.seconds, *_LENGTH, positive=True), units.duration),
]
Size = Annotated[int, kind("a size such as 512K, 64M, 1G", measured(units.size, *_BYTES), units.size_text)]
StatusSet = Annotated[
    Statuses,
    kind("HTTP statuses such as 200-299 or 200,301-302", measured(Statuses.parse, *_STATUSES, judge="statuses"), str),
]
Instances = Annotated[int, kind("a whole number from 1 to 100", whole(1, 100))]
Weight = Annotated[int, kind("a whole number from 1 to 10000", whole(1, 10_000))]
Releases = Annotated[int, kind("a whole number from 1 to 1000", whole(1, 1000))]
Way = Annotated[SocketWay, kind("one of " + ", ".join(get_args(SocketWay)), one_of(SocketWay))]
Order = Annotated[StartOrder, kind("start-first or stop-first", one_of(StartOrder))]
Runtime = Annotated[RuntimeName, kind("auto, node or none", one_of(RuntimeName))]
Signal = Annotated[str, kind("a signal's name such as TERM, QUIT or SIGINT", Reader(_signal, _text.json))]
UserName = Annotated[str, kind("the name of a user or group", matching(r"[a-zA-Z0-9_][a-zA-Z0-9_.@-]*\$?"))]
HostName = Annotated[str, kind("a host name such as shop.example.org", _header)]
Hosts = Annotated[list[str], kind("host names such as shop.example.org", many(_server_name))]
Route = Annotated[str, kind('a path that starts with "/"', judged(paths.ROUTE, f"^(?:{paths.ROUTE})$", "route"))]
RequestPath = Annotated[
    str, kind('a path that starts with "/"', judged(paths.REQUEST, f"^(?:{paths.REQUEST})$", "request_path"))
]
Listen = Annotated[
    list[str],
    kind(
        "a port or address such as 8080, 127.0.0.1:8080 or [::1]:8080",
        many(Reader(_listen, {"anyOf": [_address.json, _port]}), at_least=1),
    ),
]
Commands = Annotated[list[str], kind("shell commands", many(_text))]
Inside = Annotated[
    list[str], kind("paths inside the release such as public/uploads", many(Reader(_inside, _text.json)))
]
Source = Annotated[str, kind("a folder or the URL of a git repository", Reader(_source, _text.json))]
Env = Annotated[
    dict[str, str],
    kind(
        "variables, each once, such as LOG_LEVEL=info",
        Reader(_pairs, {"type": "object", "additionalProperties": _pair}),
    ),
]
