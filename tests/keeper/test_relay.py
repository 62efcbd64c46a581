"""The relay: who waits in a queue nobody serves, handed on."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.relay import Relay

PATIENCE = 30.0


class Pair:
    """A queue that nobody serves, a server that does, and the relay between them, turned by `until`."""

    def __init__(self, folder: str) -> None:
        self.queue_path, self.server_path = f"{folder}/queue", f"{folder}/server"
        self.queue, self.server = listening(self.queue_path), listening(self.server_path)
        self.deadlines = Deadlines(time.monotonic)
        self.loop = Loop(self.deadlines)
        self.relay = Relay(self.loop)
        self.open: list[socket.socket] = [self.queue, self.server]

    def client(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PATIENCE)
        made.connect(self.queue_path)
        self.open.append(made)
        return made

    def accept(self) -> socket.socket:
        made = self.server.accept()[0]
        made.settimeout(PATIENCE)
        self.open.append(made)
        return made

    def hand_over(self) -> None:
        self.relay.take([self.queue])
        assert self.relay.release(self.server_path)

    def until(self, is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline
            self.deadlines.at(0.01, lambda: None)
            self.loop.turn()

    def end(self) -> None:
        self.relay.close()
        for each in self.open:
            each.close()


def listening(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(100)
    made.settimeout(PATIENCE)
    return made


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    before = set(os.listdir("/proc/self/fd"))
    made = Pair(str(tmp_path))
    yield made
    made.end()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_request_and_its_answer_go_through(pair: Pair) -> None:
    client = pair.client()
    client.sendall(b"question")

    pair.hand_over()
    server = pair.accept()
    pair.until(lambda: select.select([server], [], [], 0)[0])
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    server.close()
    pair.until(lambda: not pair.relay.busy)

    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""


def test_large_bodies_go_through_whole_at_the_reader_s_pace(pair: Pair) -> None:
    body = os.urandom(1 << 20) * 8
    client = pair.client()
    pair.hand_over()
    server = pair.accept()
    received = bytearray()

    def upload() -> None:
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while data := server.recv(3000):
            received.extend(data)
        server.sendall(bytes(received))
        server.close()

    returned = bytearray()

    def download() -> None:
        while data := client.recv(70000):
            returned.extend(data)

    threads = [threading.Thread(target=work, daemon=True) for work in (upload, serve, download)]
    for thread in threads:
        thread.start()
    pair.until(lambda: not any(thread.is_alive() for thread in threads))

    assert received == body
    assert returned == body
    pair.until(lambda: not pair.relay.busy)


def test_a_reader_that_stops_does_not_make_the_relay_spin_or_grow(pair: Pair) -> None:
    client = pair.client()
    pair.hand_over()
    server = pair.accept()
    server.setblocking(False)
    sent, quiet = 0, 0
    while quiet < 20:
        try:
            sent += server.send(bytes(65536))
            quiet = 0
        except BlockingIOError:
            quiet += 1
        pair.deadlines.at(0.001, lambda: None)
        pair.loop.turn()
    before = time.process_time()

    pair.deadlines.at(0.3, lambda: None)
    for _ in range(3):
        pair.deadlines.at(0.1, lambda: None)
        pair.loop.turn()

    assert time.process_time() - before < 0.1
    assert sent < 1 << 21
    received = 0
    server.close()
    client.settimeout(0.01)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            data = client.recv(65536)
        except TimeoutError:
            data = b"."
            received -= 1
        if not data:
            break
        received += len(data)
        pair.deadlines.at(0.001, lambda: None)
        pair.loop.turn()
    assert received == sent  # though its sender has long gone


def test_who_has_left_is_not_handed_over(pair: Pair) -> None:
    gone, patient = pair.client(), pair.client()
    gone.sendall(b"gave up")
    patient.sendall(b"patient")
    pair.relay.take([pair.queue])
    gone.close()

    assert pair.relay.release(pair.server_path)
    server = pair.accept()
    pair.until(lambda: select.select([server], [], [], 0)[0])

    assert server.recv(100) == b"patient"
    assert not select.select([pair.server], [], [], 0)[0]


def test_a_client_that_leaves_takes_its_other_end_with_it(pair: Pair) -> None:
    client = pair.client()
    pair.hand_over()
    server = pair.accept()

    client.close()
    pair.until(lambda: select.select([server], [], [], 0)[0])
    assert server.recv(100) == b""
    server.close()

    pair.until(lambda: not pair.relay.busy)


def test_those_who_find_the_other_queue_full_go_on_waiting(pair: Pair) -> None:
    pair.server.listen(1)
    clients = [pair.client() for _ in range(10)]
    pair.relay.take([pair.queue])

    assert not pair.relay.release(pair.server_path)
    handed = 0
    while handed < len(clients):
        pair.accept()
        handed += 1
        pair.relay.release(pair.server_path)

    assert pair.relay.waiting == []


def test_nobody_to_hand_them_to_is_told_to_them_at_once(pair: Pair) -> None:
    one, other = pair.client(), pair.client()
    pair.relay.take([pair.queue])
    pair.relay.release(f"{pair.server_path}.gone")
    assert one.recv(100) == b""
    assert other.recv(100) == b""


def test_as_many_are_taken_as_there_are_descriptors_for(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _: 70)  # leaves room for three
    clients = [pair.client() for _ in range(5)]

    pair.relay.take([pair.queue])

    assert len(pair.relay.waiting) == 3
    assert len(clients) == 5
    pair.relay.close()
