from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import one_socket


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"{tmp_path}/s")
        made.listen(8)
        yield made


def inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino


def test_a_connection_is_accepted_once_the_server_has_taken_it_from_the_queue(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as ours:
        other.connect(listener.getsockname())
        ours.connect(listener.getsockname())
        assert one_socket.queued(inode(listener)) == 2
        assert one_socket.is_accepted(inode(ours)) is False

        with listener.accept()[0]:
            assert one_socket.is_accepted(inode(ours)) is False, "it was the other one's turn"
            with listener.accept()[0]:
                assert one_socket.is_accepted(inode(ours)) is True
                assert one_socket.queued(inode(listener)) == 0


def test_what_is_not_there_is_neither_accepted_nor_queued() -> None:
    with socket.socket(socket.AF_UNIX) as ended:
        number = inode(ended)

    assert one_socket.is_accepted(number) is None
    assert one_socket.queued(number) == 0


def test_others_are_not_listed(listener: socket.socket) -> None:
    """However many sockets the machine has, the kernel is asked one question and gives one answer."""
    asked = list[bytes]()

    class Kernel(socket.socket):
        def send(self, data: bytes, *more: int) -> int:  # type: ignore[override]
            asked.append(data)
            return super().send(data, *more)

    crowd = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zdd.host.sock_diag.socket.socket", Kernel)
        assert one_socket.queued(inode(listener)) == 0
    for each in crowd:
        each.close()

    (request,) = asked
    assert int.from_bytes(request[6:8], "little") == 1, "no NLM_F_DUMP"
