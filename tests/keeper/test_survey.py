"""One question to many keepers: all are asked at once, and those that hang cost one patience for all."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.errors import UsageError
from zdd.host import netlink, sock_diag
from zdd.keeper import survey

SERVING = {"ok": True, "state": "serving", "pid": None}
LONG = 60.0  # seconds: for a machine that stalls


class Keepers:
    """Sockets that are asked; each answers as the test has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listeners: list[socket.socket] = []
        self.peers: list[socket.socket] = []

    def listen(self, number: int, backlog: int = 8) -> list[str]:
        paths = [f"{self.folder}/{len(self.listeners) + index}" for index in range(number)]
        for path in paths:
            self.listeners.append(socket.socket(socket.AF_UNIX))
            self.listeners[-1].bind(path)
            self.listeners[-1].listen(backlog)
        return paths

    def accept(self, listener: socket.socket) -> socket.socket:
        self.peers.append(listener.accept()[0])
        assert self.peers[-1].recv(65536).endswith(b"\n")
        return self.peers[-1]

    def answer_each(self) -> None:
        for listener in self.listeners:
            self.accept(listener).sendall(line(SERVING))

    def end(self) -> None:
        for each in (*self.listeners, *self.peers):
            each.close()


@pytest.fixture
def keepers(tmp_path: Path) -> Iterator[Keepers]:
    made = Keepers(tmp_path)
    yield made
    made.end()


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Which lists of sockets the kernel was asked for in our own process."""
    asked, real = list[bytes](), netlink.dump

    def dump(request: bytes, wanted: bytes = b"") -> Iterator[bytes]:
        asked.append(request)
        return real(request, wanted)

    monkeypatch.setattr(netlink, "dump", dump)
    return asked


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def test_all_are_asked_before_the_first_has_answered(keepers: Keepers) -> None:
    paths = keepers.listen(40)

    def answer_once_all_were_asked() -> None:
        for peer in [keepers.accept(listener) for listener in keepers.listeners]:
            peer.sendall(line(SERVING))

    thread = beside(answer_once_all_were_asked)
    answers = survey.ask(paths, "status", LONG)
    thread.join(LONG)

    assert answers == dict.fromkeys(paths, SERVING)


def test_keepers_that_hang_cost_one_patience_for_all_of_them(keepers: Keepers, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, now = keepers.listen(30), [0.0]
    real = select.poll

    class Poll:
        """Nothing comes from keepers that hang: the clock goes to the end of each wait."""

        def __init__(self) -> None:
            self._poll = real()
            self.register, self.unregister = self._poll.register, self._poll.unregister

        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            now[0] += milliseconds / 1000
            return self._poll.poll(0)

    monkeypatch.setattr("zdd.keeper.survey.select.poll", Poll)
    monkeypatch.setattr("zdd.keeper.survey.time.monotonic", lambda: now[0])

    assert survey.ask(paths, "status", 20.0) == {}
    assert now[0] == pytest.approx(20.0)


def test_those_that_answer_are_heard_beside_those_that_hang_or_are_gone(keepers: Keepers) -> None:
    hangs, answers = keepers.listen(2)
    gone = f"{keepers.folder}/none"

    thread = beside(lambda: keepers.accept(keepers.listeners[1]).sendall(line(SERVING)))
    found = survey.ask([hangs, gone, answers], "status", 5.0)
    thread.join(LONG)

    assert found == {answers: SERVING}


def test_more_are_asked_than_there_are_descriptors(keepers: Keepers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_AT_ONCE", 3)
    paths = keepers.listen(10)

    thread = beside(keepers.answer_each)
    answers = survey.ask(paths, "status", LONG)
    thread.join(LONG)

    assert answers.keys() == set(paths)


def test_where_few_descriptors_are_free_the_rest_is_asked_later(
    keepers: Keepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, real = [2], survey._Call

    class Few(real):  # type: ignore[valid-type,misc]
        def __init__(self, path: str) -> None:
            if not free[0]:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            free[0] -= 1
            super().__init__(path)

        def close(self) -> None:
            free[0] += 1
            super().close()

    monkeypatch.setattr(survey, "_Call", Few)
    paths = keepers.listen(7)

    thread = beside(keepers.answer_each)
    answers = survey.ask(paths, "status", LONG)
    thread.join(LONG)

    assert answers.keys() == set(paths)


def test_one_whose_queue_is_full_is_asked_again(keepers: Keepers) -> None:
    (path,) = keepers.listen(1, backlog=0)
    crowd = socket.socket(socket.AF_UNIX)
    crowd.connect(path)

    def make_room() -> None:
        keepers.peers.append(keepers.listeners[0].accept()[0])
        keepers.accept(keepers.listeners[0]).sendall(line(SERVING))

    timer = threading.Timer(0.2, make_room)
    timer.start()
    answers = survey.ask([path], "status", LONG)
    timer.join(LONG)
    crowd.close()

    assert answers == {path: SERVING}


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n\r\n", b"{}\n", b'{"ok": true', b""])
def test_what_is_no_keepers_answer_is_none(keepers: Keepers, said: bytes) -> None:
    (path,) = keepers.listen(1)

    def speak() -> None:
        peer = keepers.accept(keepers.listeners[0])
        peer.sendall(said)
        peer.shutdown(socket.SHUT_RDWR)

    thread = beside(speak)
    answers = survey.ask([path], "status", LONG)
    thread.join(LONG)

    assert answers == {}


def test_a_keeper_that_this_zddeploy_cannot_talk_to_is_named(keepers: Keepers) -> None:
    (path,) = keepers.listen(1)

    def refuse() -> None:
        for _ in range(2):
            keepers.accept(keepers.listeners[0]).sendall(line({"ok": False, "version": 99, "oldest": 98}))

    thread = beside(refuse)
    with pytest.raises(UsageError, match="newer zddeploy, which this one cannot talk to"):
        survey.ask([path], "status", LONG)
    thread.join(LONG)


def test_a_keeper_that_refuses_and_is_gone_when_asked_again_has_no_answer(keepers: Keepers) -> None:
    (path,) = keepers.listen(1)

    def refuse() -> None:
        peer = keepers.accept(keepers.listeners[0])
        keepers.listeners[0].close()
        peer.sendall(line({"ok": False, "version": 1, "oldest": 1}))

    thread = beside(refuse)
    answers = survey.ask([path], "status", LONG)
    thread.join(LONG)

    assert answers == {}


def test_the_connections_of_many_are_counted_in_one_list(keepers: Keepers, lists: list[bytes], tmp_path: Path) -> None:
    paths = keepers.listen(survey._FEW + 1)
    with socket.socket(socket.AF_UNIX) as app, socket.socket(socket.AF_UNIX) as client:
        app.bind(f"{tmp_path}/app")
        app.listen()
        client.connect(f"{tmp_path}/app")
        file = sock_diag.file_of(f"{tmp_path}/app")

        def answer() -> None:
            keepers.accept(keepers.listeners[0]).sendall(line(SERVING | {"files": [file]}))
            for listener in keepers.listeners[1:]:  # as workers have none
                keepers.accept(listener).sendall(line(SERVING | {"files": []}))

        thread = beside(answer)
        answers = survey.status(paths)
        thread.join(LONG)

    assert [answers[path]["connections"] for path in paths] == [1, *[0] * survey._FEW]
    assert len(lists) == 2, "what listens, and what is connected"


@pytest.mark.parametrize("told", [{}, {"files": [[1, 1]]}], ids=["where it is unknown", "another namespace"])
def test_a_keeper_of_which_the_list_shows_nothing_counts_for_itself(keepers: Keepers, told: dict[str, Any]) -> None:
    paths = keepers.listen(survey._FEW + 1)

    def answer() -> None:
        for listener in keepers.listeners:
            keepers.accept(listener).sendall(line(SERVING | told))
        for listener in keepers.listeners:
            keepers.accept(listener).sendall(line(SERVING | {"connections": 7}))

    thread = beside(answer)
    answers = survey.status(paths)
    thread.join(LONG)

    assert [answer["connections"] for answer in answers.values()] == [7] * (survey._FEW + 1)


def test_where_the_kernel_lists_no_sockets_keepers_count(keepers: Keepers, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise netlink.Unavailable(errno.EPERM)

    monkeypatch.setattr(netlink, "connect", refuse)
    paths = keepers.listen(survey._FEW + 1)

    def answer() -> None:
        for said in ({"files": [[1, 1]]}, {"connections": 3}):
            for listener in keepers.listeners:
                keepers.accept(listener).sendall(line(SERVING | said))

    thread = beside(answer)
    answers = survey.status(paths)
    thread.join(LONG)

    assert {answer["connections"] for answer in answers.values()} == {3}


def test_a_few_count_for_themselves(keepers: Keepers, lists: list[bytes]) -> None:
    paths = keepers.listen(survey._FEW)

    def answer() -> None:
        for listener in keepers.listeners:
            keepers.accept(listener).sendall(line(SERVING | {"connections": 2}))

    thread = beside(answer)
    answers = survey.status(paths)
    thread.join(LONG)

    assert {answer["connections"] for answer in answers.values()} == {2}
    assert lists == []
