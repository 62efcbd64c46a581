"""Counting connections of an nginx that lives in a network namespace of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import sock_diag
from zdd.keeper.listener import connections_to_path

CONNECT = (
    "import socket, sys\n"
    "made = [socket.socket(socket.AF_UNIX) for _ in range(3)]\n"
    "for one in made: one.connect(sys.argv[1])\n"
    "print('connected', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "name"))
        made.listen(10)
        yield made


@pytest.fixture
def elsewhere(listener: socket.socket) -> Iterator[int]:
    """Three connections from another namespace, two of them accepted."""
    argv = ["unshare", "--net", sys.executable, "-c", CONNECT, listener.getsockname()]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        if not child.stdout.readline():
            child.communicate()
            pytest.skip("no network namespace can be made here")
        accepted = [listener.accept()[0] for _ in range(2)]
        yield child.pid
        for one in accepted:
            one.close()
        child.communicate()


def test_connections_from_another_namespace_are_counted_by_name(
    listener: socket.socket, elsewhere: int, tmp_path: Path
) -> None:
    name = listener.getsockname()
    (tmp_path / "pid").write_text(f"{elsewhere}\n")

    assert connections_to_path(sock_diag.file_of(name), name, str(tmp_path / "pid")) == 3


def test_our_own_namespace_is_counted_as_well(listener: socket.socket, elsewhere: int, tmp_path: Path) -> None:
    name = listener.getsockname()
    (tmp_path / "pid").write_text(f"{elsewhere}\n")
    made = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for one in made:
        one.connect(name)

    assert connections_to_path(sock_diag.file_of(name), name, str(tmp_path / "pid")) >= 4
    for one in made:
        one.close()


@pytest.mark.parametrize("text", ["", "nonsense", "999999999"])
def test_a_pid_file_of_nobody_leaves_our_own_count(listener: socket.socket, tmp_path: Path, text: str) -> None:
    name = listener.getsockname()
    (tmp_path / "pid").write_text(text)
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(name)

        assert connections_to_path(sock_diag.file_of(name), name, str(tmp_path / "pid")) == 1


def test_what_a_server_that_stopped_listening_still_serves_is_counted(tmp_path: Path) -> None:
    name = str(tmp_path / "name")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(name)
        listener.listen()
        client.connect(name)
        with listener.accept()[0]:
            listener.close()
            os.unlink(name)

            assert connections_to_path(sock_diag.file_of(name), name, None) == 1
