from __future__ import annotations

import json
import re
import socket
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class Kind:
    """
    One kind of request in the mix.

    `weight` is its share among all kinds, `body` the number of bytes it carries, `headers` are sent as they are.
    Raises ValueError for a header, method or path that would break the request's framing.
    """

    method: str = "GET"
    path: str = "/"
    body: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    weight: int = 1

    def __post_init__(self) -> None:
        fields = "".join(f"{name}{value}" for name, value in self.headers.items())
        if not self.path or set(self.method + self.path) & set(" \r\n") or set(fields) & set("\r\n"):
            raise ValueError(f"{self.name!r} lacks a path or has a blank or line break where HTTP allows none")
        if self.weight < 1 or self.body < 0:
            raise ValueError(f"{self.name!r} needs a weight of at least 1 and a body of at least 0 bytes")

    @property
    def name(self) -> str:
        """Its name in reports: `POST /orders`."""
        return f"{self.method} {self.path}"

    def request(self, host: str) -> bytes:
        """Return the whole request as it is sent (RFC 9112 section 3)."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", "User-Agent: zdd-load"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {self.body}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + b"x" * self.body


@dataclass(frozen=True)
class Spec:
    """
    The load to generate. All times are seconds.

    `target` is `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. `rate` requests a second are due at fixed times, independent
    of the answers, on `connections` keep-alive connections; a request without a complete answer `timeout` after its due
    time has failed. Without `seconds` the load lasts until it is stopped. `record` names an answer header whose value
    is kept for each request. Beside them `websockets` long-lived connections each ask for an echo every
    `websocket_interval`. With `tls` all of them speak TLS, with the host's name and whatever certificate there is.
    Raises ValueError for an impossible load.
    """

    target: str
    kinds: tuple[Kind, ...] = (Kind(),)
    rate: float = 300.0
    connections: int = 32
    seconds: float | None = None
    timeout: float = 10.0
    host: str = ""
    record: str = ""
    websockets: int = 0
    websocket_path: str = "/ws"
    websocket_interval: float = 0.5
    tls: bool = False

    def __post_init__(self) -> None:
        if self.rate < 0 or self.websockets < 0 or not self.rate + self.websockets:
            raise ValueError("a load needs a rate or websockets above 0")
        if self.connections < 1 or self.timeout <= 0 or self.websocket_interval <= 0 or not self.kinds:
            raise ValueError("a load needs kinds, a connection, a timeout and an interval above 0")
        if len(self.kinds) > 200:  # a sample keeps its kind in one byte
            raise ValueError(f"a load has at most 200 kinds of requests, not {len(self.kinds)}")
        if not re.fullmatch(r"unix:.{1,107}|.+:\d{1,5}", self.target):  # 107 bytes: unix(7)
            raise ValueError(f"the target {self.target!r} is neither HOST:PORT nor unix:PATH of at most 107 bytes")

    @staticmethod
    def split(url: str) -> tuple[str, str]:
        """
        Return a URL's target and path; `is_tls` tells whether it means TLS.

        Raises ValueError unless it is http://HOST[:PORT]/PATH, https://HOST[:PORT]/PATH or unix:PATH.
        """
        if url.startswith("unix:"):
            return url, "/"
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"{url!r} is neither http://HOST[:PORT]/PATH, https://HOST[:PORT]/PATH nor unix:PATH")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return parts.netloc if parts.port else f"{parts.netloc}{_PORTS[parts.scheme]}", path

    @staticmethod
    def is_tls(url: str) -> bool:
        """Return whether a URL means TLS."""
        return url.startswith("https:")

    @property
    def host_header(self) -> str:
        """The Host header: `host`, else the target, `localhost` for a UNIX socket."""
        scheme = "https" if self.tls else "http"
        return self.host or (
            "localhost" if self.target.startswith("unix:") else self.target.removesuffix(_PORTS[scheme])
        )

    @property
    def kind_names(self) -> tuple[str, ...]:
        """The names that samples refer to by index; the last is that of the echoes."""
        return (*(kind.name for kind in self.kinds), "websocket")

    def address(self) -> tuple[int, Any]:
        """Return the target as (family, address) for connect(2), IPv4 first. Raises OSError if its name is unknown."""
        if self.target.startswith("unix:"):
            return socket.AF_UNIX, self.target.removeprefix("unix:")
        host, _, port = self.target.rpartition(":")
        addresses = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, _, _, _, address = min(addresses, key=lambda entry: entry[0] != socket.AF_INET)
        return family, address

    def to_json(self) -> str:
        """Return one line that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Spec:
        """Return the spec in the text. Raises ValueError or TypeError if it contains none."""
        data = json.loads(text)
        kinds = tuple(Kind(**kind) for kind in data.pop("kinds", [{}]))
        return cls(kinds=kinds, **data)
