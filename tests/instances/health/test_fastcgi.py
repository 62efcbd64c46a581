"""A server that speaks FastCGI is told from one that speaks HTTP."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from zdd.instances.health import fastcgi


@pytest.mark.parametrize(
    ("answer", "is_fastcgi"),
    [
        (b"\x01\x0a\0\0\0\0\0\0", True),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"", False),
    ],
    ids=["php-fpm", "HTTP", "closed"],
)
def test_it_is_told_by_its_answer(tmp_path: Path, answer: bytes, is_fastcgi: bool) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen(1)

        def serve() -> None:
            with server.accept()[0] as connection:
                assert connection.recv(99) == fastcgi.GET_VALUES
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert fastcgi.is_spoken(str(tmp_path / "s")) == is_fastcgi
        thread.join()


def test_nobody_there_speaks_nothing(tmp_path: Path) -> None:
    assert not fastcgi.is_spoken(str(tmp_path / "s"))
