"""The health request: an instance answers on its own socket before nginx sends anyone there."""

from __future__ import annotations

import errno
import os
import re
import select
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from zdd import __version__
from zdd.host.light import socket

Address = str | int
"""Where an instance listens: the path of a UNIX socket, or a port on 127.0.0.1."""

_HERE = "127.0.0.1"
_SLICE = 0.05  # seconds between calls of `interrupt`
_SHOWN = 2048  # bytes of a body that are read, for display
_LONGEST_HEAD = 65536
CLOSED = "the connection was closed without an answer"
EXPECTS_TLS = "should it expect TLS, switch that off: nginx speaks plain HTTP to the app"
SPEAKS_GRPC = 'gRPC is served with protocol = "grpc"; what else speaks HTTP/2 alone needs a health_command'
_SETTINGS = b"\x04\0\0\0\0\0"  # type, flags and stream of the frame that an HTTP/2 server begins with (RFC 9113)


class Request(Struct, frozen=True):
    """What to ask for; `more` are further headers."""

    path: str
    host: str
    more: Mapping[str, str] = {}
    method: str = "GET"
    body: bytes = b""


class Answer(Struct, frozen=True):
    """An answer: its status, the Location of a redirect, and the beginning of the body's text, for display."""

    status: int
    location: str
    excerpt: str
    fields: Sequence[tuple[str, str]] = ()

    def all(self, name: str) -> list[str]:
        """Return the values of every header of this name."""
        return [value for field, value in self.fields if field == name.lower()]


class NotHttp(Exception):  # noqa: N818  (what it is, not what went wrong)
    """The answer was not HTTP/1; the argument says what it was, `hint` what may fix it."""

    def __init__(self, words: str, hint: str | None = None) -> None:
        super().__init__(words)
        self.hint = hint


class Http2(NotHttp):
    """The answer was HTTP/2, to a request in HTTP/1.1."""


def connect(
    address: Address | tuple[str, int], timeout: float, interrupt: Callable[[], None] = lambda: None
) -> socket.socket:
    """
    Connect to an instance, or a TCP address. Raises OSError.

    A full accept queue of a UNIX socket raises BlockingIOError at once. That of a port says nothing, so the connect
    waits; meanwhile `interrupt` is called, which may raise.
    """
    where = (_HERE, address) if isinstance(address, int) else address
    family = socket.AF_UNIX if isinstance(where, str) else _family(where[0])
    if family is None:
        from socket import create_connection  # here, because only a name needs it

        return create_connection(where, timeout)  # type: ignore[arg-type]  # a path has a family
    connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.setblocking(False)
        try:
            connection.connect(where)
        except BlockingIOError as error:
            if error.errno != errno.EINPROGRESS:
                raise
            _await_connected(connection, timeout, interrupt)
        connection.settimeout(timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _await_connected(connection: socket.socket, timeout: float, interrupt: Callable[[], None]) -> None:
    """Wait until a connect has ended. Raises TimeoutError, or another OSError if it has failed."""
    ready, until = select.poll(), time.monotonic() + timeout
    ready.register(connection, select.POLLOUT)
    while not ready.poll(1000 * max(0.0, min(_SLICE, until - time.monotonic()))):
        interrupt()
        if time.monotonic() >= until:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    if code := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))


def _family(host: str) -> socket.AddressFamily | None:
    """Return the family of an IP address, None for a name: its look-up imports what takes 3 ms."""
    if ":" in host:
        return socket.AF_INET6
    return socket.AF_INET if host.replace(".", "").isdigit() else None


def ask(
    connection: socket.socket,
    request: Request,
    timeout: Callable[[], float],
    interrupt: Callable[[], None] = lambda: None,
) -> Answer:
    """
    Send one request and return the final answer's head (RFC 9110, 15.2 and RFC 9112), closing the connection.

    `timeout` returns how many seconds are left, since they may count only from the moment the app accepts. `interrupt`
    may raise. Raises TimeoutError, NotHttp and OSError.
    """
    return _parse(_exchange(connection, request, timeout, interrupt, _is_enough))


def fetch(
    connection: socket.socket,
    request: Request,
    timeout: Callable[[], float],
    interrupt: Callable[[], None] = lambda: None,
) -> tuple[Answer, bytes]:
    """Do the same, and return the whole body, too, as it came: for what nginx sends of a file."""
    data = _exchange(connection, request, timeout, interrupt, _is_whole)
    return _parse(data), data.partition(b"\r\n\r\n")[2]


def _exchange(
    connection: socket.socket,
    request: Request,
    timeout: Callable[[], float],
    interrupt: Callable[[], None],
    is_enough: Callable[[bytes], bool],
) -> bytes:
    data, ready = b"", select.poll()  # select(2) cannot watch descriptors above 1023, which many instances need
    with connection:
        ready.register(connection, select.POLLIN)
        connection.sendall(_encoded(request))
        while not is_enough(data := _final(data)):
            interrupt()
            left = timeout()  # asked once a slice: it may cost a look at all UNIX sockets
            if not ready.poll(1000 * max(0.0, min(_SLICE, left))):
                if left > 0:
                    continue
                if b"\r\n\r\n" in data:
                    break
                raise TimeoutError
            received = _receive(connection, data)
            data += received
            if not received:
                break
    return data


def _is_whole(data: bytes) -> bool:
    """Return whether the answer has arrived; without a length it ends with the connection."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *([0-9]{1,18})", head.lower())
    return bool(end) and length is not None and len(body) >= int(length[1])


def _is_enough(data: bytes) -> bool:
    """Return whether the head and the shown part of the body have arrived: some apps ignore `Connection: close`."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return len(data) > _LONGEST_HEAD
    fields = head.lower()
    if length := re.search(rb"\r\ncontent-length: *([0-9]+)", fields):
        return len(body) >= min(int(length[1].lstrip(b"0")[:9] or b"0"), _SHOWN)
    chunked = b"\r\ntransfer-encoding:" in fields
    return len(body) >= _SHOWN or (chunked and body.endswith(b"0\r\n\r\n")) or head[9:12] in (b"204", b"304")


def _final(data: bytes) -> bytes:
    """Return what follows the interim answers, such as 103: the final answer is yet to come (RFC 9110, 15.2)."""
    while re.match(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9][ \r]", data) and b"\r\n\r\n" in data:
        data = data.partition(b"\r\n\r\n")[2]
    return data


def _encoded(request: Request) -> bytes:
    own = {"Host": request.host, "User-Agent": f"zddeploy/{__version__}", "Accept": "*/*"}
    length = {"Content-Length": str(len(request.body))} if request.body else {}
    fields = {**own, "X-Forwarded-Proto": "https", "Connection": "close", **length, **request.more}
    head = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*head, "", ""]).encode("ascii", "backslashreplace") + request.body


def _receive(connection: socket.socket, before: bytes) -> bytes:
    """Return the next data; a reset after some data is its end, as when the app never read our request."""
    try:
        received = connection.recv(65536)
        while (pending := getattr(connection, "pending", None)) and pending():  # TLS: poll(2) does not show these
            received += connection.recv(65536)
        return received
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
        raise Http2("the answer is HTTP/2", SPEAKS_GRPC)
    if not (words[0].startswith("HTTP/") and len(words) > 1 and re.fullmatch("[1-9][0-9]{2}", words[1])):
        raise NotHttp(f"the answer is not HTTP: {status_line[:80]!r}")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    fields = dict(pairs)
    text = (_unchunked(body) if "transfer-encoding" in fields else body).decode(errors="replace")
    if "html" in fields.get("content-type", ""):
        text = re.sub(r"(?is)<(title|style|script)\b.*?(</\1>|$)|<!--.*?(-->|$)|<[^>]*(>|$)", " ", text)
    return Answer(int(words[1]), fields.get("location", ""), " ".join(text.split())[:200], pairs)


def _unchunked(body: bytes) -> bytes:
    """Return the content of the chunks that have arrived (RFC 9112, 7.1)."""
    whole = b""
    while (chunk := re.match(rb"([0-9a-fA-F]{1,8})[^\n]*\n", body)) and (size := int(chunk[1], 16)):
        whole += body[chunk.end() : chunk.end() + size]
        body = body[chunk.end() + size + 2 :]
    return whole
