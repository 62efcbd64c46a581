"""A client of HTTPS that says what it got: a certificate, a protocol, an answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.nginx.app import PATIENCE


class Got(NamedTuple):
    """What a server answered; `certificate` are the DNS names in the certificate that it showed, if it was verified."""

    status: int
    headers: dict[str, str]
    body: str
    certificate: tuple[str, ...]
    version: str | None
    protocol: str | None


def context(authority: str | None = None, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """A client's settings; without an authority (as PEM) it takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    else:
        made.load_verify_locations(cadata=authority)
    made.set_alpn_protocols(list(alpn))
    return made


@contextlib.contextmanager
def connected(port: int, name: str, settings: ssl.SSLContext | None = None) -> Iterator[ssl.SSLSocket]:
    """A connection that has shaken hands for this name. Raises ssl.SSLError if the server refuses to."""
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        (settings or context()).wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection


def get(
    port: int, host: str, path: str = "/", authority: str | None = None, name: str | None = None, headers: str = ""
) -> Got:
    """Ask as a browser does, by a connection of its own; `name` is asked for in the handshake."""
    with connected(port, name or host, context(authority)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        shown = connection.getpeercert() or {}
        names = tuple(str(pair[1]) for pair in shown.get("subjectAltName", ()))
        return Got(*_parsed(answer), names, connection.version(), connection.selected_alpn_protocol())


def plain(port: int, host: str, path: str = "/", headers: str = "", method: str = "GET") -> Got:
    """Ask without TLS."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return Got(*_parsed(answer), (), None, None)


def _parsed(answer: str) -> tuple[int, dict[str, str], str]:
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body
