"""Sockets that an app has made itself are duplicated, so that what waits in their queues can be accepted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import sock_diag
from zdd.keeper import app_queue

from .conftest import NewStage

APP = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(); sys.stdin.read()"
)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    """The path on which a child of ours listens; it accepts nothing, and ends with the test."""
    path = str(tmp_path / "s")
    with subprocess.Popen(
        [sys.executable, "-c", APP, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield path
        child.kill()


def test_what_waits_can_be_accepted_and_outlives_the_app(listening: str) -> None:
    client = socket.socket(socket.AF_UNIX)
    client.connect(listening)
    client.sendall(b"hello")

    (borrowed,) = app_queue.duplicates(sock_diag.listening_at(sock_diag.file_of(listening)))

    assert not os.get_inheritable(borrowed.fileno())
    with client, borrowed, borrowed.accept()[0] as served:
        assert served.recv(5) == b"hello"


def test_where_the_kernel_forbids_it_nothing_is_borrowed(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, number: int) -> int:
        raise PermissionError(number)

    inodes = sock_diag.listening_at(sock_diag.file_of(listening))
    assert inodes
    monkeypatch.setattr(app_queue, "duplicate", refuse)

    assert app_queue.duplicates(inodes) == []


def test_nobody_is_asked_twice_while_one_app_runs(stage: NewStage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[int]] = []

    def note(inodes: set[int]) -> list[socket.socket]:
        asked.append(inodes)
        return []

    monkeypatch.setattr(app_queue, "duplicates", note)
    listener = stage().listener

    listener.borrow()
    listener.borrow()
    assert len(asked) == 1

    listener.give_back()
    listener.borrow()
    assert len(asked) == 2
