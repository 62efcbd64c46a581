"""Who cares for an instance, and what is said over the control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
import time

import pytest

from tests.waiting import eventually
from zdd.errors import UsageError
from zdd.host import files
from zdd.keeper import client, record

from .conftest import New
from .instance import PATIENCE, freeze


def test_an_instance_that_is_not_published_ends_with_who_started_it(new: New) -> None:
    web = new().start()
    app = web.process()
    assert web.leased

    web.leased.close()

    assert web.await_end() == 0
    assert not app.alive()
    assert not os.path.exists(web.folder)


def test_a_published_instance_stays(new: New) -> None:
    web = new().start()
    web.house.publish(web)
    assert web.leased

    web.leased.close()

    eventually(lambda: web.ask("status")["ok"])
    assert web.state() == "serving"
    assert web.request()


def test_one_lease_of_two_is_enough(new: New) -> None:
    web = new().start()
    assert web.leased

    with_us = client.Lease(web.control)
    web.leased.close()

    assert web.state() == "serving"
    with_us.close()
    assert web.await_end() == 0


def test_questions_are_no_leases(new: New) -> None:
    web = new().start()
    web.ask("status")
    web.ask("status")

    assert web.state() == "serving"


def test_who_attaches_after_the_app_failed_is_told_how(new: New) -> None:
    web = new(env={"PRELUDE": "sys.exit(3)"}).launch()
    web.await_event("exit")

    late = client.Lease(web.control)

    assert late.state == "failed"
    assert late.events() == [{"event": "exit", "words": "exit status 3", "status": 3}]
    late.close()


def test_a_lease_of_a_keeper_that_is_killed_has_ended(new: New) -> None:
    web = new().start()
    assert web.leased

    web.keeper().signal(9)

    eventually(lambda: web.leased and web.leased.events() == [] and web.leased.ended)
    with pytest.raises(client.Gone, match=r"no keeper answers on .*: Connection refused"):
        client.ask(web.control, "status")


def test_a_keeper_that_never_was_is_gone(new: New) -> None:
    web = new()

    with pytest.raises(client.Gone, match="No such file or directory"):
        client.Lease(web.control)


def test_a_keeper_that_stands_still_for_some_seconds_is_not_taken_for_dead(new: New) -> None:
    web = new().start()
    keeper = web.keeper()
    freeze(keeper)

    threading.Timer(2.5, keeper.signal, [signal.SIGCONT]).start()

    assert client.ask(web.control, "status")["state"] == "serving"


def test_a_keeper_whose_queue_is_full_for_a_moment_is_not_taken_for_dead(new: New) -> None:
    web = new().start()
    keeper = web.keeper()
    freeze(keeper)
    crowd: list[socket.socket] = []
    while True:
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        crowd.append(one)
        if one.connect_ex(web.control):
            break

    threading.Timer(1, keeper.signal, [signal.SIGCONT]).start()

    assert client.ask(web.control, "status")["state"] == "serving"
    for one in crowd:
        one.close()


def test_a_keeper_that_does_not_answer_in_time_is_gone(new: New) -> None:
    web = new().start()
    freeze(web.keeper())

    with pytest.raises(client.Gone, match="timed out"):
        client.ask(web.control, "status", timeout=0.05)


def test_what_a_killed_keeper_leaves_can_be_removed(new: New) -> None:
    web = new().start()
    web.keeper().signal(9)
    web.await_end()
    control = f"{web.house.path}/control"
    pids = f"{control}/{web.name}.pids"
    left = client.pids(pids)
    assert left.keeper is None
    assert left.app
    assert left.app.signal(9)
    assert left.app.wait(PATIENCE)

    assert client.pids(pids) == client.Pids(None, None, None)
    record.remove(web.folder, pids, web.path, web.control)

    assert not os.path.exists(web.folder)
    assert os.listdir(control) == []
    assert client.pids(pids) == client.Pids(None, None, None)


def test_status_tells_what_there_is_to_tell(new: New) -> None:
    before = time.time()
    web = new(release="r7").start()

    status = web.ask("status")

    assert before - 1 <= status.pop("since") <= time.time()
    assert status == {
        "ok": True,
        "version": 1,
        "instance": "web-1",
        "service": "web",
        "release": "r7",
        "state": "serving",
        "pid": web.pid(),
        "restarts": 0,
        "restart_in": None,
        "waiting": 0,
        "stalled": None,
        "connections": 0,
        "long_lived": 0,
        "stranger": None,
        "program_of_root": None,
        "address": web.keep,
        "drained": 0,
        "port": None,
        "paused": None,
        "exit": None,
        "cut": 0,
        "handed": 0,
    }


def test_what_a_keeper_of_an_older_zddeploy_cannot_do_yet_is_told_with_the_way_out(new: New) -> None:
    with pytest.raises(UsageError, match="web-1 was started by an older zddeploy and cannot `dance`") as raised:
        client.ask(new().start().control, "dance")

    assert "zddeploy restart" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"op": "status", "version": 2}', "version 2 is not spoken here, only 1 to 1"),
        ('{"op": "status"}', "version None is not spoken here, only 1 to 1"),
        ('{"op": "dance", "version": 1}', "there is no operation 'dance', only status, attach, rest, start,"),
        ('{"version": 1}', "there is no operation None"),
        ('{"version": 1, "op": []}', "there is no operation []"),
        ('{"op": "retire", "version": 1}', "retire: KeyError('warm')"),
        ('{"op": "retire", "version": 1, "warm": 1, "drain": "x"}', "retire: drain must be a number of seconds"),
        (
            '{"op": "retire", "version": 1, "warm": 1, "drain": 1, "workers": [7]}',
            "retire: workers must be a list of processes",
        ),
        ('{"op": "retire", "version": 1, "warm": Infinity, "drain": 1}', "retire: warm must be a number of seconds"),
        ('{"op": "pause", "version": 1, "seconds": NaN}', "pause: seconds must be a number of seconds"),
        ('{"op": "access", "version": 1, "users": [4294967295]}', "access: users must be a list of users"),
        ("[]", "a request is one JSON object on a line"),
        ("nonsense", "a request is one JSON object on a line"),
    ],
)
def test_what_is_not_understood_is_answered_with_why(new: New, line: str, error: str) -> None:
    web = new().start()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(web.control)

        peer.sendall(line.encode() + b"\n")
        answer = json.loads(peer.makefile().readline())

    assert not answer["ok"]
    assert answer["error"].startswith(error)
    assert web.state() == "serving"


STOP = json.dumps({"version": 1, "op": "stop"})


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1\r",
        "",
        "null",
        '"stop"',
        f"[{STOP}]",
        '{"op": "status"}',
        '{"version": 1}',
        "[" * 60_000,
        json.dumps({"version": 1, "op": "status", "more": "x" * 65536}),
    ],
    ids=lambda line: line[:24],
)
def test_nothing_is_done_after_a_line_that_is_no_request(new: New, line: str) -> None:
    """What a visitor sends may be led here by mistake: the body of such a request is no operation."""
    web = new().start()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(web.control)
        try:
            peer.sendall(f"{line}\n{STOP}\n".encode())
        except OSError:  # closed while the rest was on its way
            pass
        answers = read_to_its_end(peer).splitlines()

    assert [json.loads(answer)["ok"] for answer in answers] == [False]
    assert web.state() == "serving"


def test_a_request_of_another_version_or_for_something_unknown_does_not_end_the_conversation(new: New) -> None:
    web = new().start()
    asked = [{"version": 2, "op": "status"}, {"version": 1, "op": "dance"}, {"version": 1, "op": "status"}]
    with socket.socket(socket.AF_UNIX) as peer, peer.makefile() as answers:
        peer.settimeout(PATIENCE)
        peer.connect(web.control)

        peer.sendall("".join(json.dumps(request) + "\n" for request in asked).encode())

        assert [json.loads(answers.readline())["ok"] for _ in asked] == [False, False, True]


def test_a_line_without_an_end_is_not_kept(new: New) -> None:
    web = new().start()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(web.control)
        try:
            peer.sendall(b" " * (1 << 20))
        except OSError:
            pass
        assert read_to_its_end(peer) == b""

    assert web.state() == "serving"


def read_to_its_end(peer: socket.socket) -> bytes:
    """What the keeper said until it closed the connection; with something of ours unread, that is a reset."""
    received = b""
    try:
        while data := peer.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def test_requests_may_come_in_pieces_and_many_at_once(new: New) -> None:
    web = new().start()
    request = json.dumps({"version": 1, "op": "status"}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as peer, peer.makefile() as answers:
        peer.settimeout(PATIENCE)
        peer.connect(web.control)

        for piece in (request[:5], request[5:] + request + request[:9], request[9:]):
            peer.sendall(piece)
            web.ask("status")  # by now it has read the piece

        assert [json.loads(answers.readline())["ok"] for _ in range(3)] == [True] * 3


def test_a_lease_that_reads_nothing_does_not_hold_the_keeper_up(new: New) -> None:
    web = new().start()
    deaf = client.Lease(web.control)
    for _ in range(4000):
        web.ask("retire", warm=PATIENCE, drain=0, workers=[])
        web.ask("unretire")
        if web.events()[-1]["event"] != "state":
            break

    assert web.state() == "serving"
    deaf.close()


def test_the_control_socket_is_its_owner_s_alone(new: New) -> None:
    web = new().start()

    assert stat.S_IMODE(os.stat(web.control).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(web.control.replace(".sock", ".pids")).st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
def test_another_user_who_gets_at_the_control_socket_is_not_listened_to(new: New) -> None:
    web = new().start()
    os.chmod(f"{web.house.path}/control", 0o711)
    os.chmod(web.control, 0o666)

    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            client.ask(web.control, "stop")
        except client.Gone:
            os._exit(7)
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert web.state() == "serving"


def test_a_record_of_another_version_is_refused(new: New) -> None:
    web = new(version=2)
    files.write(web.path, json.dumps(web.record))

    with pytest.raises(AssertionError, match=r"web-1.json is of version 2; this keeper reads 1"):
        web.launch()
