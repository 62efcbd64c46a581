"""Kinds of values. Each is declared once, for the reader, for error messages and for the reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from zdd.conf import assets, hosts, networks, readers, units
from zdd.conf.readers import Json, Reader, many, matching, measured, one_of, whole
from zdd.conf.units import Statuses

SocketWay = Literal["fd", "unix", "tcp", "none"]
StartOrder = Literal["start-first", "stop-first"]
RuntimeName = Literal["auto", "node", "none"]
HttpsWay = Literal["off", "auto"]
ProtocolName = Literal["http", "grpc"]


class Kind(Struct, frozen=True):
    """`allowed` completes the sentence "must be ..."; `write` turns the value back into what a file contains."""

    allowed: str
    reader: Reader
    write: Callable[[Any], object]


def kind(allowed: str, reader: Reader, write: Callable[[Any], object] = lambda value: value) -> Meta:
    """Return the annotation that makes a type a kind."""
    return Meta(extra={"kind": Kind(allowed, reader, write)})


def doc(text: str) -> Meta:
    """Return the annotation with a key's meaning."""
    return Meta(description=text)


def kind_of(annotation: object) -> Kind | None:
    """Return the kind declared anywhere in `annotation`."""
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and isinstance(kind := meta.extra.get("kind"), Kind):
            return kind
    return next((kind for part in getattr(annotation, "__args__", ()) if (kind := kind_of(part))), None)


_A_DURATION = "such as 500ms, 30s, 5m, 1h"

Text = Annotated[str, kind("text, not empty", readers.TEXT)]
Shell = Annotated[str, kind("a shell command", readers.TEXT)]
Command = Annotated[str, kind("a command", readers.TEXT)]
AbsPath = Annotated[Path, kind("a path", readers.PATH, str)]
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
Protocol = Annotated[ProtocolName, kind("http or grpc", one_of(ProtocolName))]
_COOKIE = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}"  # RFC 6265, a token
Sticky = Annotated[str, kind("ip, or a cookie's name such as cookie:sid", matching(f"ip|cookie:{_COOKIE}"))]
Signal = Annotated[str, kind("a signal's name such as TERM, QUIT or SIGINT", readers.SIGNAL)]
UserName = Annotated[str, kind("the name of a user or group", matching(r"[a-zA-Z0-9_][a-zA-Z0-9_.@-]*\$?"))]
HostName = Annotated[str, kind("a host name such as shop.example.org", readers.HEADER)]
Hosts = Annotated[list[str], kind("host names such as shop.example.org", many(readers.SERVER_NAME))]
Route = Annotated[str, kind('a path that starts with "/"', matching(hosts.ROUTE, judge="route"))]
RequestPath = Annotated[str, kind('a path that starts with "/"', matching(hosts.REQUEST_PATH, judge="request_path"))]
Https = Annotated[HttpsWay, kind("off or auto", one_of(HttpsWay))]
Hsts = Annotated[
    int,
    kind(
        "0s, or at least one day with its unit, such as 365d",
        measured(units.hsts, units.HSTS, {"const": 0}),
        units.days,
    ),
]
Email = Annotated[str, kind("an e-mail address", matching(r"[^\s@,\"'\\-][^\s@,\"'\\]*@[^\s@,\"'\\]+"))]
HttpsUrl = Annotated[str, kind("a URL that begins with https://", matching(r"https://[!-~]+"))]
Listen = Annotated[
    list[str],
    kind("a port or address such as 8080, 127.0.0.1:8080 or [::1]:8080", many(readers.LISTEN, at_least=1)),
]
YesNo = Annotated[bool, kind("true or false", readers.YES_NO)]
Proxies = Annotated[
    list[str],
    kind("private, none, or networks such as 10.0.0.0/8", networks.PROXIES, lambda value: value or networks.NOBODY),
]
Commands = Annotated[list[str], kind("shell commands", many(readers.TEXT))]
Inside = Annotated[list[str], kind("paths inside the release such as public/uploads", many(readers.INSIDE))]
Folder = Annotated[str, kind("a folder inside the release such as dist", readers.FOLDER)]
Assets = Annotated[
    list[str] | dict[str, str],
    kind("paths inside the release such as public/assets, or URL path = folder", assets.READER),
]
Source = Annotated[str, kind("a folder or the URL of a git repository", readers.SOURCE)]
AccessLog = Annotated[bool | str, kind("true, false or the path of a log", readers.ACCESS_LOG)]
Env = Annotated[dict[str, str], kind("variables, each once, such as LOG_LEVEL=info", readers.ENV)]
