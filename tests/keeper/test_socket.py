"""The place where an instance listens: who may connect, and that it stays through what apps do to it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from tests.waiting import eventually
from zdd.host import files, process, sock_diag
from zdd.keeper.loop import Loop
from zdd.keeper.port_listener import PortListener
from zdd.keeper.record import Record

from .conftest import New
from .instance import HELD_UP, Instance, freeze

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
NOBODY = 65534


def may_connect(instance: Instance, uid: int) -> bool:
    """Whether this user can, once there is a socket; in a child, which does not come back."""
    os.stat(instance.socket)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(uid)
            socket.socket(socket.AF_UNIX).connect(instance.socket)
            os._exit(0)
        except PermissionError:
            os._exit(1)
        finally:
            os._exit(2)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 1)
    return status == 0


def access_list(path: str) -> dict[int, int]:
    data = os.getxattr(path, "system.posix_acl_access")
    entries = [struct.unpack_from("<HHI", data, at) for at in range(4, len(data), 8)]
    return {user: bits for tag, bits, user in entries if tag == 2}


# fd


def test_nobody_but_the_owner_and_who_is_let_in_may_connect(new: New) -> None:
    web = new(access=[33]).start()

    assert access_list(web.socket) == {33: 6}
    assert stat.S_IMODE(os.stat(web.socket).st_mode) & 0o007 == 0


@needs_root
@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_the_users_let_in_can_connect_and_others_cannot(new: New, kind: str) -> None:
    web = new(socket=kind, access=[33]).start()
    eventually(lambda: may_connect(web, 33))

    assert not may_connect(web, 34)


def test_the_queue_is_as_long_as_it_can_be_again_after_the_app_cut_it(new: New) -> None:
    web = new(env={"BACKLOG": "3"}).start()

    freeze(web.process())
    waiting = fill(web, most=50)

    assert len(waiting) == 50
    for connection in waiting:
        connection.close()


def test_the_queue_grows_again_when_the_app_cuts_it_while_it_runs(new: New) -> None:
    web = new().start()
    web.request("/listen/3")
    app = web.process()
    freeze(app)

    waiting: list[socket.socket] = []

    def fifty_wait() -> bool:
        waiting.extend(fill(web, most=50))
        return len(waiting) >= 50

    eventually(fifty_wait, what="a long queue")
    assert web.process() == app, "its queue has grown, and not that of one that was started in its place"
    for connection in waiting:
        connection.close()


def fill(web: Instance, most: int = 200) -> list[socket.socket]:
    """Connect without waiting, until the queue is full."""
    made: list[socket.socket] = []
    while len(made) < most:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(web.socket)
        except BlockingIOError:
            connection.close()
            break
        made.append(connection)
    return made


def test_the_name_that_the_app_is_told_is_its_own_to_unlink(new: New) -> None:
    web = new().start()

    for starts in (2, 3):
        web.request("/unlink-own-name")
        web.kill()
        web.await_output("up", starts)
        assert web.request() == str(web.pid())

    assert os.path.exists(f"{web.app_folder}/s"), "each start of the app finds the name again"


def test_a_server_that_unlinks_its_name_when_it_ends_is_started_again_and_serves(new: New) -> None:
    prelude = "signal.signal(15, lambda *_: (os.unlink(listening.getsockname()), os._exit(0)))"
    web = new(hold_max=5, env={"PRELUDE": f"import signal; {prelude}"}).start()

    for ends in (1, 2, 3):
        web.process().signal(signal.SIGTERM)
        web.await_event("exit", count=ends, words="exit status 0")
        assert web.request() == str(web.pid())


@pytest.mark.parametrize("name", ["socket", "keep"])
def test_each_of_the_two_names_is_restored_from_the_other(new: New, name: str) -> None:
    web = new().start()
    app = web.pid()

    os.unlink(f"{web.folder}/{name}")

    eventually(lambda: os.path.exists(f"{web.folder}/{name}"))
    assert web.request() == str(app)
    assert os.path.samestat(os.stat(web.keep), os.stat(web.socket))


def test_an_app_whose_socket_has_lost_all_its_names_is_started_again_on_another_one(new: New) -> None:
    web = new().start()
    before = web.pid()

    os.unlink(web.keep)
    os.unlink(web.socket)

    web.await_event("state", count=2, state="serving")
    assert web.request() == str(web.pid())
    assert web.pid() != before
    assert "names were removed" in web.output()


def test_an_app_that_removes_the_whole_folder_is_started_again_in_another_one(new: New) -> None:
    web = new(access=[33]).start()
    before = web.pid()

    shutil.rmtree(web.folder)

    web.await_event("state", count=2, state="serving")
    assert web.request() == str(web.pid())
    assert web.pid() != before
    assert access_list(web.folder) == {33: 1}


def test_an_app_gets_a_blocking_socket_whatever_the_last_one_did(new: New) -> None:
    prelude = "print('blocking', os.get_blocking(3), flush=True)"
    web = new(env={"PRELUDE": prelude}).start()
    web.request("/nonblocking")

    web.kill()
    web.await_output("blocking", 2)

    assert [line for line in web.lines() if line.startswith("blocking")] == ["blocking True"] * 2


def test_an_app_that_shuts_its_socket_down_gets_a_fresh_one_at_its_restart(new: New) -> None:
    web = new(access=[33]).start()
    before = os.stat(web.socket).st_ino

    web.request("/shutdown")
    eventually(lambda: os.stat(web.socket).st_ino != before)
    waiting = web.send("/waited")
    web.kill()
    web.await_event("state", count=2, state="serving")

    assert access_list(web.socket) == {33: 6}
    with waiting:
        assert b"200 OK" in waiting.recv(1000)
    assert web.request()


def test_who_is_still_served_by_a_socket_that_was_shut_down_is_counted(new: New) -> None:
    web = new().start()
    before = os.stat(web.socket).st_ino
    with web.send("/wait/go"):
        web.await_output("got /wait/go")

        web.request("/shutdown")
        eventually(lambda: os.stat(web.socket).st_ino != before)

        assert web.ask("status")["connections"] == 1


# unix


def test_a_stale_socket_is_removed_before_each_start(new: New) -> None:
    web = new(socket="unix", access=[33], env={"STALE": "1"}).start()

    web.kill()
    web.await_event("state", count=2, state="serving")

    assert web.request() == str(web.pid())


@pytest.mark.parametrize("mask", [0o022, 0o000, 0o077])
def test_the_app_s_own_socket_is_opened_to_who_may_connect_and_nobody_else_after_each_start(
    new: New, mask: int
) -> None:
    web = new(socket="unix", access=[33], env={"PRELUDE": f"os.umask({mask})"}).start()

    for starts in (1, 2):
        web.await_output("up", starts)
        eventually(lambda: os.stat(web.socket).st_mode & 0o777 == 0o660)
        assert access_list(web.socket) == {33: 6}
        if starts == 1:
            web.kill()
            web.await_event("state", count=2, state="serving")


def test_a_socket_that_the_app_replaces_while_it_runs_is_taken_over_with_its_access(new: New) -> None:
    web = new(socket="unix", access=[33]).start()
    eventually(lambda: os.stat(web.socket).st_mode & 0o777 == 0o660)

    os.unlink(web.app_socket)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(web.app_socket)
        other.listen()
        eventually(lambda: os.path.samestat(os.stat(web.socket), os.stat(web.app_socket)))

        assert access_list(web.socket) == {33: 6}
        assert os.stat(web.socket).st_mode & 0o777 == 0o660


def test_an_app_that_opens_its_socket_to_everybody_once_it_is_bound_does_not_get_its_way(new: New) -> None:
    web = new(socket="unix", access=[33]).start()

    os.chmod(web.app_socket, 0o666)

    eventually(lambda: os.stat(web.socket).st_mode & 0o777 == 0o660)


PLANTED = "print('ready', flush=True); time.sleep(600)"


def test_what_is_no_socket_is_never_opened_to_anybody(new: New) -> None:
    web = new(socket="unix", access=[33], env={"PRELUDE": PLANTED}).launch()
    secret = f"{web.house.path}/secret"
    files.write(secret, "", mode=0o600)
    os.symlink(secret, web.app_socket)
    web.await_output("ready")

    time.sleep(0.2)  # some twenty looks of the keeper

    assert os.stat(secret).st_mode & 0o777 == 0o600
    assert not os.path.lexists(web.socket)
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(secret, "system.posix_acl_access")


@needs_root
def test_a_socket_of_another_user_is_never_opened_to_anybody(new: New) -> None:
    web = new(socket="unix", access=[33], cwd="/", argv=["sleep", "600"], uid=NOBODY, gid=NOBODY, groups=[]).launch()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(web.app_socket)
        os.chmod(web.app_socket, 0o600)

        time.sleep(0.2)

        assert os.stat(web.app_socket).st_mode & 0o777 == 0o600
        assert not os.path.lexists(web.socket)


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_a_link_in_the_app_s_folder_leads_nginx_to_nobody_else(new: New, kind: str) -> None:
    web, victim = new(socket=kind).start(), new().start()

    name = web.app_socket if kind == "unix" else f"{web.app_folder}/s"
    os.unlink(name)
    os.symlink(victim.keep, name)
    time.sleep(1.5)  # the keeper has looked by then

    assert web.request() == str(web.pid())
    web.kill()
    web.await_event("state", count=2, state="serving")
    assert web.request() == str(web.pid())


# tcp


def test_nobody_else_is_given_the_port_while_the_app_is_down(new: New) -> None:
    web = new(socket="tcp", argv=[sys.executable, "-c", "raise SystemExit"]).launch()
    web.await_event("exit")
    port = web.ask("status")["port"]

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


STRANGER = (
    "import os, socket, sys\n"
    "os.setgid(65534); os.setuid(65534)\n"
    "taken = socket.socket(); taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "taken.bind(('127.0.0.1', int(sys.argv[1]))); taken.listen()\n"
    "print('listens', flush=True)\n"
    "while True:\n"
    "    with taken.accept()[0] as client: client.recv(1000); client.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nstolen')\n"
)


@pytest.fixture
def stranger() -> Iterator[Callable[[int], None]]:
    """Has another user listen on a port."""
    made: list[subprocess.Popen[bytes]] = []

    def listen(port: int) -> None:
        child = subprocess.Popen([sys.executable, "-c", STRANGER, str(port)], stdout=subprocess.PIPE)
        made.append(child)
        assert child.stdout
        assert child.stdout.readline() == b"listens\n"

    yield listen
    for child in made:
        child.kill()
        child.communicate()


@needs_root
def test_another_user_who_listens_on_the_port_is_not_taken_for_the_app(
    new: New, stranger: Callable[[int], None]
) -> None:
    web = new(socket="tcp", env={"PRELUDE": HELD_UP})
    web.house.write("down")
    web.launch()

    stranger(web.ask("status")["port"])
    answer = web.ask("healthy")

    assert not answer["ok"]
    assert "of user 65534 listens on 127.0.0.1" in answer["error"]
    assert web.state() == "starting"


@needs_root
@pytest.mark.parametrize("begins", [False, True])
def test_a_process_of_the_app_that_is_new_is_no_stranger(
    stranger: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    """It is not in the list of processes yet, or it `begins` to listen after that."""
    guard = PortListener(cast("Record", None), cast("Loop", None))
    guard.open(lambda _: None)
    port, descendants, looks = guard.port or 0, process.descendants, itertools.count()

    def look(root: int) -> list[int]:
        if next(looks):
            return descendants(root)
        if begins:
            stranger(port)
        return []

    if not begins:
        stranger(port)
    monkeypatch.setattr(process, "descendants", look)

    assert guard.stranger() is None
    guard.close()


def test_the_sockets_of_the_port_are_listed_once_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = PortListener(cast("Record", None), cast("Loop", None))
    guard.open(lambda _: None)
    listed: list[int] = []

    def listening_on(port: int) -> list[sock_diag.TcpSocket]:
        listed.append(port)
        return []

    monkeypatch.setattr(sock_diag, "listening_on", listening_on)

    assert guard.others() == (None, None)
    assert listed == [guard.port]
    guard.close()


@needs_root
def test_another_user_who_takes_the_port_between_two_starts_ends_no_outage(
    new: New, stranger: Callable[[int], None]
) -> None:
    web = new(socket="tcp", env={"PRELUDE": HELD_UP}).start()
    web.house.write("down")
    web.kill()
    web.await_event("state", state="starting")
    eventually(lambda: web.ask("status")["restart_in"] is None, what="the next start")

    stranger(web.ask("status")["port"])
    web.await_output("zdd: ", 3)
    eventually(lambda: "of user 65534 listens" in web.output(), what="a word of it")

    assert web.state() == "starting"


@needs_root
def test_between_two_starts_nobody_else_can_listen_on_the_port(new: New) -> None:
    web = new(socket="tcp", env={"PRELUDE": "if os.path.exists(os.environ['HERE'] + '/broken'): sys.exit(1)"}).start()
    port = web.ask("status")["port"]
    web.house.write("broken")
    web.kill()
    web.freeze_between_starts()

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))


def test_a_tcp_app_s_connections_are_counted(new: New) -> None:
    web = new(socket="tcp").start()

    with web.connect(), web.send("/wait/go"):
        eventually(lambda: web.ask("status")["connections"] == 2)
    web.house.write("go")

    eventually(lambda: web.ask("status")["connections"] == 0)


def test_the_counts_of_status_are_those_of_the_kernel(new: New) -> None:
    web = new().start()

    with web.connect(), web.connect():
        # One that is accepted in the middle of a count is counted twice, rather than not at all.
        eventually(
            lambda: web.ask("status")["connections"] == sock_diag.connections_to(sock_diag.file_of(web.socket)) == 2
        )
