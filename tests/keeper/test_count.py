"""Counting connections of an nginx that lives in a network namespace of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from zdd.host import sock_diag
from zdd.keeper.fd_listener import FdListener
from zdd.keeper.listener import connections_to_path
from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.record import Record

from .conftest import New

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


def test_the_socket_that_a_keeper_holds_is_counted_without_a_list_of_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand keepers drain at the same time, and the list has all their sockets."""
    names = {name: f"{tmp_path}/{name}" for name in ("keep", "socket", "waiting", "app_folder")}
    record = SimpleNamespace(folder=str(tmp_path), uid=None, access=[], nginx_pid_file=None, **names)
    listener = FdListener(cast("Record", record), Loop(Deadlines(time.monotonic)))
    listener.open(lambda _: None)
    assert listener.listen_socket
    listed, real = list[int](), sock_diag._unix_sockets

    def sockets(state: int, *more: sock_diag.File | None) -> Iterator[tuple[int, sock_diag.File | None, int]]:
        listed.append(state)
        return real(state, *more)

    monkeypatch.setattr(sock_diag, "_unix_sockets", sockets)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for client in clients:
        client.connect(names["keep"])

    with listener.listen_socket.accept()[0]:
        assert listener.connections() == 3
    assert listener.connections() == 2
    assert set(listed) == {sock_diag._ESTABLISHED}
    for client in clients:
        client.close()
    listener.close()


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_a_keeper_says_where_its_connections_arrive(new: New, kind: str) -> None:
    web = new(socket=kind).start()

    status = web.ask("status", brief=True, where=True)

    file = sock_diag.file_of(web.keep)
    assert file
    assert status["files"] == [list(file)]
    assert "connections" not in status
    assert "files" not in web.ask("status")


def test_what_no_file_shows_has_none(new: New) -> None:
    assert "files" not in new(socket="tcp").start().ask("status", brief=True, where=True)


def test_connections_of_an_nginx_elsewhere_are_not_shown_by_a_file(new: New, elsewhere: int, tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{elsewhere}\n")

    web = new(nginx_pid_file=str(tmp_path / "pid")).start()

    assert "files" not in web.ask("status", brief=True, where=True)
