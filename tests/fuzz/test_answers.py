"""What apps, and nginx in front of them, answer to our requests."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator

from hypothesis import strategies as st

from zdd.conf.services import RunService
from zdd.instances.health import request, verdict
from zdd.instances.health.request import NotHttp, Request
from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.probe import Probe
from zdd.load import websocket
from zdd.load.http import Answer, MalformedError, outcome_of
from zdd.nginx.config.mark import HEADER, Mark

from .profile import holds
from .texts import mutated

WORD = "0" * 32
SEEN = f"{WORD} {'1' * 16} 1234 unix:/run/zdd/shop/current/web/00"
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 21\r\n\r\n<title>a</title>hello",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nno such page",
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://shop.test:443/health\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n you\r\n0\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\n",
    f"HTTP/1.1 200 OK\r\n{HEADER}: {SEEN}, unix:/b 502, 200\r\nServer: nginx\r\n\r\n".encode(),
    b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\x40\0",
    b"220 mail.example.org ESMTP\r\n",
    b"\x15\x03\x03\x00\x02\x02\x50",
    b"HTTP/1.1 302 Found\r\nLocation: http://[bad/\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: //\x1b]0;x\x07@[::1]:99999999/%ff\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx",
    b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\nx",
    b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
]
SERVICES = [
    RunService(name="web", run="app"),
    RunService(name="web", run="app", health_path="/health", health_host="shop.test"),
]
MOST = 1500  # characters that are shown of what an app says
answers = mutated(ANSWERS)
pieces = st.lists(st.integers(1, 400), max_size=6)


@contextlib.contextmanager
def answering(answer: bytes, sizes: list[int]) -> Iterator[socket.socket]:
    """Yield a connection to somebody who answers so, in pieces, and hangs up."""
    ours, theirs = socket.socketpair()

    def say() -> None:
        with theirs, contextlib.suppress(OSError):
            rest = answer
            for size in sizes:
                theirs.sendall(rest[:size])
                rest = rest[size:]
            theirs.sendall(rest)

    speaker = threading.Thread(target=say)
    speaker.start()
    try:
        with ours:
            yield ours
    finally:
        speaker.join()


@holds(answers, pieces, st.sampled_from(SERVICES), examples=300)
def test_every_answer_has_a_verdict(answer: bytes, sizes: list[int], service: RunService) -> None:
    with answering(answer, sizes) as connection:
        until = time.monotonic() + 60
        try:
            read = request.ask(connection, Request("/", "localhost"), lambda: until - time.monotonic())
        except NotHttp as error:
            said = f"{error} {error.hint}"
        except OSError as error:
            said = str(error)
        else:
            said = judged(read, service)

    assert 0 < len(said) < MOST


def judged(read: request.Answer, service: RunService) -> str:
    found = verdict.judge(read, service)
    assert 100 <= read.status <= 999
    assert found.healthy or found.words
    return f"healthy {found.words} {found.hint}"


@holds(answers, examples=100)
def test_a_keeper_s_probe_ends_with_one_status(answer: bytes) -> None:
    said: list[int | None] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen(1)
        loop = Loop(Deadlines(time.monotonic))
        probe = Probe(loop, "/", "localhost")
        probe.ask(f"{folder}/s", said.append)
        loop.turn()
        app, over = server.accept()[0], time.monotonic() + 60

        def say() -> None:
            with app, contextlib.suppress(OSError):
                app.sendall(answer)

        speaker = threading.Thread(target=say)
        speaker.start()
        while not said and time.monotonic() < over:
            loop.deadlines.at(60, lambda: None)
            loop.turn()
        probe.cancel()
        speaker.join()

    assert len(said) == 1
    assert said[0] is None or 0 <= said[0] <= 999


FRAMES = [b"\x81\x05zdd 1", b"\x89\x00\x88\x02\x03\xe8", b"\x81\xff" + b"\xff" * 8 + b"x", b"\x01\x01z\x80\x01d"]


@holds(answers | st.binary(max_size=300), mutated(FRAMES), pieces, examples=200)
def test_load_is_answered_or_malformed(answer: bytes, frames: bytes, sizes: list[int]) -> None:
    read = Answer()
    rest = answer
    with contextlib.suppress(MalformedError):
        for size in [*sizes, len(answer)]:
            if read.feed(rest[:size]):
                break
            rest = rest[size:]
        read.end()
    if read.head:
        assert outcome_of(read.head.status) >= 0
        assert read.head.length < 10**18
    left: bytes = frames
    with contextlib.suppress(MalformedError):
        while found := websocket.read_frame(left):
            left = found[2]


headers = mutated([SEEN.encode() + b" 200", SEEN.encode() + b", unix:/b : unix:/c 502, 200 : 304", WORD.encode()])


@holds(st.lists(headers, max_size=2), examples=300)
def test_only_one_header_in_our_words_is_a_proof(values: list[bytes]) -> None:
    texts = [value.decode("latin-1") for value in values]

    seen = Mark("a", "b" * 32, WORD).read(texts)

    if seen:
        assert len(texts) == 1
        assert texts[0].startswith(f"{WORD} ")
        assert 0 <= seen.pid < 2**31
        assert seen.status is None or 0 <= seen.status <= 999


@holds(st.integers(1, 30), examples=5)
def test_whoever_answers_without_an_end_is_left(drops: int) -> None:
    ours, theirs = socket.socketpair()
    asked = threading.Event()

    def talk() -> None:
        with theirs, contextlib.suppress(OSError):
            theirs.sendall(b"HTTP/1.1 200 OK\r\n")
            while not asked.is_set():
                theirs.sendall(b"x: y\r\n" * drops)

    speaker = threading.Thread(target=talk)
    speaker.start()
    try:
        read = request.ask(ours, Request("/", "localhost"), lambda: 60.0)
        assert read.status == 200
    finally:
        asked.set()
        ours.close()
        speaker.join()
