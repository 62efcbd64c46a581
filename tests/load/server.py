"""A little server that misbehaves to order: threads and raw sockets, nothing shared with what it tests."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# What to do about the Nth of all requests; whether the connection is kept.
Behaviour = Callable[[socket.socket, int], bool]


def say(connection: socket.socket, answer: bytes = OK) -> bool:
    connection.sendall(answer)
    return True


def reset(connection: socket.socket) -> bool:
    """Closing sends RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def every(n: int, special: Callable[[socket.socket], bool]) -> Behaviour:
    return lambda connection, number: say(connection) if number % n else special(connection)


class Server:
    """Reads requests, numbers them in the order of their arrival and lets `behave` answer."""

    def __init__(self, behave: Behaviour, *, unix: Path | None = None, bodies: bool = True) -> None:
        self.requests = 0
        self.lines: Counter[str] = Counter()
        self.connections: list[socket.socket] = []
        self._behave = behave
        self._bodies = bodies
        self._lock = Lock()
        self._threads: list[Thread] = []
        if unix:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(unix))
            self._listener.listen(128)
            self.target = f"unix:{unix}"
        else:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(Thread(target=self._accept))
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for each in (self._listener, *self.connections):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, thread: Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                if connection.family == socket.AF_INET:  # else a second answer waits for the next request's ACK
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self.connections.append(connection)
                self._start(Thread(target=self._serve, args=(connection,)))

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError), connection.makefile("rb") as stream:
            while head := b"".join(iter(lambda: stream.readline().strip(), b"")):  # up to an empty line, or the end
                length = re.search(rb"Content-Length: (\d+)", head)
                if length and self._bodies and len(stream.read(int(length[1]))) < int(length[1]):
                    return
                with self._lock:
                    self.requests += 1
                    self.lines[head.partition(b" HTTP")[0].decode()] += 1
                    number = self.requests
                if not self._behave(connection, number):
                    return
