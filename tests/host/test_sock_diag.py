from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import net_unix, sock_diag


@pytest.fixture
def listener() -> Iterator[tuple[str, socket.socket]]:
    folder = tempfile.mkdtemp(dir="/tmp")
    path = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen(16)
        yield path, made
    shutil.rmtree(folder)


def test_queued_and_accepted_connections_both_count(listener: tuple[str, socket.socket]) -> None:
    path, server = listener
    clients = [connected(path) for _ in range(3)]
    accepted, _ = server.accept()

    assert sock_diag.connections_to(sock_diag.file_of(path)) == 3
    assert sock_diag.queued(sock_diag.file_of(path)) == 2
    assert net_unix.connections_by_name(path, os.getpid()) == 3

    close(accepted, *clients)


def test_what_listens_beside_a_socket_has_the_same_address(listener: tuple[str, socket.socket]) -> None:
    _, unix = listener
    sockets = [socket.socket() for _ in range(4)]
    port = 0
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.bind(("127.0.0.1", port if each is not sockets[3] else 0))
        port = port or each.getsockname()[1]
    first, second, deaf, other = (os.fstat(each.fileno()).st_ino for each in sockets)
    for each in (sockets[0], sockets[1], sockets[3]):
        each.listen()

    beside = sock_diag.listening_beside({first, deaf, os.fstat(unix.fileno()).st_ino})

    assert beside == {first, second, os.fstat(unix.fileno()).st_ino}
    assert other not in beside
    close(*sockets)


def test_a_connection_counts_until_the_server_has_closed_it(listener: tuple[str, socket.socket]) -> None:
    path, server = listener
    client = connected(path)
    accepted, _ = server.accept()
    client.close()

    assert sock_diag.connections_to(sock_diag.file_of(path)) == 1
    accepted.close()
    assert sock_diag.connections_to(sock_diag.file_of(path)) == 0


def test_connections_are_found_among_hundreds_of_others(listener: tuple[str, socket.socket]) -> None:
    path, server = listener
    ours, pairs = [connected(path)], []
    for _ in range(3):
        pairs += [socket.socketpair() for _ in range(130)]  # so ours come with different answers of the kernel
        ours += [connected(path), server.accept()[0]]

    assert sock_diag.connections_to(sock_diag.file_of(path)) == 4
    assert sock_diag.queued(sock_diag.file_of(path)) == 1

    close(*ours, *(end for pair in pairs for end in pair))


def test_the_file_counts_and_not_its_name(listener: tuple[str, socket.socket]) -> None:
    path, _ = listener
    os.link(path, f"{path}.link")
    os.rename(path, f"{path}.away")
    client = connected(f"{path}.away")

    assert sock_diag.connections_to(sock_diag.file_of(f"{path}.link")) == 1

    client.close()


LISTEN = (
    "import os, socket, sys\n"
    "listener = socket.socket(socket.AF_UNIX)\n"
    "os.chdir(os.path.dirname(sys.argv[1]))\n"
    "listener.bind(os.path.basename(sys.argv[1]))\n"
    "listener.listen()\n"
    "print('listening', flush=True)\n"
    "kept = listener.accept()\n"
    "print('accepted', flush=True)\n"
    "sys.stdin.read()\n"
)


def test_what_a_listener_in_another_namespace_has_accepted_is_counted(tmp_path: Path) -> None:
    """A container's: it has its own network, and may know the socket by another name."""
    path = str(tmp_path / "socket")
    argv = ["unshare", "--net", sys.executable, "-c", LISTEN, path]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        if not child.stdout.readline():
            child.communicate()
            pytest.skip("no network namespace can be made here")
        assert sock_diag.connections_to(sock_diag.file_of(path)) is None
        with connected(path):
            child.stdout.readline()
            assert sock_diag.connections_to(sock_diag.file_of(path)) == 1
            file = sock_diag.file_of(path)
            assert file
            assert sock_diag.connections_to_files()[file] == 1
        child.communicate()


def test_without_a_listener_there_is_no_count(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()

    assert sock_diag.connections_to(sock_diag.file_of(str(plain))) is None
    assert sock_diag.connections_to(sock_diag.file_of(str(tmp_path / "none"))) is None
    assert sock_diag.queued(sock_diag.file_of(str(plain))) is None


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connections_to_a_port_count_until_the_server_has_closed_them(family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((host, port))
        assert sock_diag.connections_to_port(port) == 1
        accepted, _ = server.accept()
        client.close()
        assert sock_diag.connections_to_port(port) == 1
        accepted.close()
        assert sock_diag.connections_to_port(port) == 0


def test_it_is_told_who_listens_where() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(["sleep", "60"]) as other:
        port = server.getsockname()[1]

        assert ("127.0.0.1", port) in sock_diag.listeners([os.getpid()])
        assert sock_diag.listeners([other.pid]) == []
        other.kill()


def connected(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def close(*sockets: socket.socket) -> None:
    for one in sockets:
        one.close()


def test_a_name_with_line_breaks_adds_no_lines_that_count() -> None:
    """Anybody may bind such a name, also an abstract one, and /proc/net/unix shows it as it is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as ours:
        path = f"{folder}/s"
        ours.bind(path)
        ours.listen()
        forged = [f"\0{os.getpid()}\n {path}", f"\0{os.getpid()}\nx x x 00010000 x x none {path}"]
        forgers = [socket.socket(socket.AF_UNIX) for _ in forged]
        for forger, name in zip(forgers, forged, strict=True):
            forger.bind(name)

        assert net_unix.connections_by_name(path, os.getpid()) == 0
        assert net_unix.listening_paths([os.getpid()]) == [path]
        for forger in forgers:
            forger.close()
