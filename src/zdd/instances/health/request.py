"""The health request: an instance answers on its own socket before anyone else is sent there."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable
from typing import NamedTuple

from zdd import __version__

Address = str | int
"""Where an instance listens: the path of a UNIX socket, or a port on 127.0.0.1."""

_SLICE = 0.05  # seconds between looks at whether waiting is still worth it
_SHOWN = 2048  # bytes of a body that are read, to be shown
_LONGEST_HEAD = 65536
CLOSED = "the connection was closed without an answer"
EXPECTS_TLS = "should it expect TLS, switch that off: nginx speaks plain HTTP to the app"
_SETTINGS = b"\x04\0\0\0\0\0"  # type, flags and stream of the frame that an HTTP/2 server begins with (RFC 9113)


class Answer(NamedTuple):
    """What came back: the status, the Location of a redirect, and the beginning of the body's text, to be shown."""

    status: int
    location: str
    excerpt: str


class NotHttp(Exception):  # noqa: N818  (what it is, not what went wrong)
    """Something answered, but not HTTP/1; the argument is what it said, `hint` what may mend it."""

    def __init__(self, words: str, hint: str | None = None) -> None:
        super().__init__(words)
        self.hint = hint


def connect(address: Address, timeout: float) -> socket.socket:
    """Connect to an instance. Raises OSError; a full accept queue raises BlockingIOError at once."""
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(timeout)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def ask(
    connection: socket.socket,
    path: str,
    host: str,
    timeout: Callable[[], float],
    interrupt: Callable[[], None],
) -> Answer:
    """
    Send one GET and return the answer's head (RFC 9112), closing the connection.

    `timeout` is asked again and again how many seconds are left, as patience may begin only when the app accepts;
    `interrupt` raises when waiting became pointless. Raises TimeoutError, NotHttp and OSError.
    """
    data, ready = b"", select.poll()  # select(2) knows no descriptor above 1023, and of many instances there are more
    with connection:
        ready.register(connection, select.POLLIN)
        send(connection, path, host)
        while not _is_enough(data):
            interrupt()
            if not ready.poll(1000 * max(0.0, min(_SLICE, timeout()))):
                if timeout() > 0:
                    continue
                if b"\r\n\r\n" in data:
                    break
                raise TimeoutError
            received = _receive(connection, data)
            data += received
            if not received:
                break
    return _parse(data)


def _is_enough(data: bytes) -> bool:
    """Tell whether the head and as much of the body as is shown are there: not every app closes when it is asked to."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return len(data) > _LONGEST_HEAD
    fields = head.lower()
    if length := re.search(rb"\r\ncontent-length: *([0-9]+)", fields):
        return len(body) >= min(int(length[1]), _SHOWN)
    chunked = b"\r\ntransfer-encoding:" in fields
    return len(body) >= _SHOWN or (chunked and body.endswith(b"0\r\n\r\n")) or head[9:12] in (b"204", b"304")


def send(connection: socket.socket, path: str, host: str) -> None:
    """Send the request, and leave its answer to the caller."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: zddeploy/{__version__}\r\n"
        "Accept: */*\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(request.encode("ascii", "backslashreplace"))


def _receive(connection: socket.socket, before: bytes) -> bytes:
    """Return what comes next; a reset after some words ends them, as it does when the app never read our request."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        if before:
            return b""
        raise


def _parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    words = status_line.split(" ", 2)
    if not data:
        raise NotHttp(CLOSED, EXPECTS_TLS)
    if data[3:9] == _SETTINGS:
        raise NotHttp("the answer is HTTP/2", "what speaks nothing else, such as gRPC, needs a health_command")
    if not (words[0].startswith("HTTP/") and len(words) > 1 and words[1].isdigit()):
        raise NotHttp(f"the answer is not HTTP: {status_line[:80]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    text = (_unchunked(body) if "transfer-encoding" in fields else body).decode(errors="replace")
    if "html" in fields.get("content-type", ""):
        text = re.sub(r"(?is)<(title|style|script)\b.*?(</\1>|$)|<!--.*?(-->|$)|<[^>]*(>|$)", " ", text)
    return Answer(int(words[1]), fields.get("location", ""), " ".join(text.split())[:200])


def _unchunked(body: bytes) -> bytes:
    """Return what the chunks hold (RFC 9112, 7.1), as far as they came."""
    whole = b""
    while (found := re.match(rb"([0-9a-fA-F]{1,8})[^\n]*\n", body)) and (size := int(found[1], 16)):
        whole += body[found.end() : found.end() + size]
        body = body[found.end() + size + 2 :]
    return whole
