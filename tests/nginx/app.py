"""A raw server that keeps what it was sent and answers to order; and a client for what stands before it."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread

from tests.waiting import eventually

PATIENCE = 20.0


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Request], bool]  # whether the connection is kept


def say(text: str, status: str = "200 OK") -> Behaviour:
    data = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    def answer(connection: socket.socket, _: Request) -> bool:
        connection.sendall(data)
        return True

    return answer


def reset(connection: socket.socket, _: Request) -> bool:
    """Closing sends RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


class App:
    """Listens at once, on a UNIX socket or on a TCP port; by default it says its name."""

    def __init__(self, name: str, path: str | None = None, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or say(name)
        self.requests: list[Request] = []
        self.connected = 0  # connections so far
        self.open: set[socket.socket] = set()
        self._lock = Lock()
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
            self.target = f"unix:{path}"
        else:
            self._listener = socket.socket(socket.AF_INET)
            self._listener.bind(("127.0.0.1", 0))
            self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._listener.listen(128)
        self._thread = Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in list(self.open):
            connection.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not self.open)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connected += 1
                self.open.add(connection)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while line := stream.readline():
                    headers = http.client.parse_headers(stream)
                    body = stream.read(int(headers.get("Content-Length", "0")))
                    lowered = {name.lower(): value for name, value in headers.items()}
                    request = Request(line.decode().strip(), lowered, body)
                    with self._lock:
                        self.requests.append(request)
                    if not self.behaviour(connection, request):
                        return
        except OSError:
            pass
        finally:
            with self._lock:
                self.open.discard(connection)


def ask(
    port: int, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """One request on a connection of its own, to a host that nobody knows unless `headers` says which."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
