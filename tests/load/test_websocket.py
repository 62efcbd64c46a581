"""WebSockets against a server with its own reading of RFC 6455, which ends a known number of them in a known way."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.machine import patiently
from zdd.load import Load, Report, Spec
from zdd.load.http import MalformedError
from zdd.load.websocket import read_frame

from .server import Server, reset, say

UPGRADE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Release: v1\r\nSec-WebSocket-Accept: %s\r\n\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    while True:
        first, size = exactly(connection, 2)
        assert size & 0x80, "clients mask"
        mask = exactly(connection, 4)
        payload = exactly(connection, size & 0x7F)
        yield first, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


def frame(first: int, payload: bytes = b"") -> bytes:
    size = struct.pack("!B", len(payload)) if len(payload) < 126 else struct.pack("!BH", 126, len(payload))
    return bytes((first,)) + size + payload


class Echo:
    """Echoes, except that each tenth message meets `special`."""

    def __init__(self, special: Callable[[socket.socket, bytes], bool]) -> None:
        self.messages = 0
        self.seen: Counter[int] = Counter()
        self.handshakes = 0
        self._special = special
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket, _: int) -> bool:
        self.handshakes += 1
        # The generator's key is always the same; that it is right is what its answer to `accept` shows.
        accept = base64.b64encode(hashlib.sha1(b"dGhlIHNhbXBsZSBub25jZQ==" + GUID).digest()).decode()
        say(connection, (UPGRADE % accept).encode())
        for first, payload in frames(connection):
            self.seen[first] += 1
            if first == CLOSE:
                return False
            if first == TEXT:
                with self._lock:
                    self.messages += 1
                    number = self.messages
                if not (say(connection, frame(TEXT, payload)) if number % 10 else self._special(connection, payload)):
                    return False
        return False


def load(server: Server, seconds: float = 0.125, interval: float = 0.005) -> Report:
    spec = Spec(server.target, rate=0, websockets=4, websocket_interval=interval, seconds=seconds, record="X-Release")
    with Load(spec) as running:
        return running.wait()


def test_echoes_are_answered_over_the_same_connections() -> None:
    echo = Echo(lambda connection, payload: say(connection, frame(TEXT, payload)))
    with Server(echo) as server:
        report = load(server)

    assert (report.ok, report.requests, report.reconnects) == (100, 100, 0)
    assert echo.handshakes == 4
    assert echo.seen == {TEXT: 100, CLOSE: 4}  # at its end the generator closes in order
    assert report.percentile(100, kind="websocket") > 0
    assert report.answered["v1"].count == 100


@pytest.mark.parametrize(
    ("outcome", "special"),
    [
        pytest.param("cut", lambda *_: False, id="fin"),
        pytest.param("cut", lambda connection, _: reset(connection), id="rst"),
        pytest.param("cut", lambda connection, _: not say(connection, b"\x81\x05he"), id="half-a-frame"),
        pytest.param("cut", lambda connection, _: say(connection, frame(CLOSE, b"\x03\xf3")), id="close-1011"),
        pytest.param("cut", lambda connection, _: say(connection, frame(TEXT, b"other")), id="no-echo"),
        pytest.param("cut", lambda connection, _: say(connection, b"\xf1\x00"), id="no-frame"),
    ],
)
def test_a_connection_that_is_cut_fails_the_message_under_way(
    outcome: str, special: Callable[[socket.socket, bytes], bool]
) -> None:
    echo = Echo(special)
    with Server(echo) as server:
        report = load(server)

    assert report.failed == {outcome: 10}
    assert (report.ok, echo.messages, report.reconnects) == (90, 100, 0)


@pytest.mark.parametrize("code", [b"\x03\xe8", b"\x03\xe9", b"\x03\xf4bye", b""])
def test_a_connection_that_is_closed_in_order_is_a_reconnect_and_no_failure(code: bytes) -> None:
    replies: list[bytes] = []

    def close(connection: socket.socket, payload: bytes) -> bool:
        say(connection, frame(TEXT, payload) + frame(CLOSE, code))
        replies.append(next(payload for first, payload in frames(connection) if first == CLOSE))
        return False

    with Server(Echo(close)) as server:
        report = load(server)

    assert (report.ok, report.total_failed) == (100, 0)
    assert report.reconnected["websocket"] in (9, 10)  # the last message may be the load's last
    assert set(replies) == {code[:2]} or set(replies) == {code[:2], b"\x03\xe8"}  # then it closes as well


def test_a_message_that_met_a_close_is_asked_again_on_a_new_connection() -> None:
    echo = Echo(lambda connection, _: not say(connection, frame(CLOSE, b"\x03\xf4")))
    with Server(echo) as server:
        report = load(server)

    assert (report.ok, report.total_failed) == (100, 0)
    assert report.reconnected == {"websocket": echo.messages - 100}


def test_a_cut_without_a_message_under_way_is_a_failure_of_its_own() -> None:
    def attempt(interval: float) -> None:
        with Server(Echo(lambda connection, payload: not say(connection, frame(TEXT, payload)))) as server:
            report = load(server, 2.75 * interval, interval)  # 11 messages, the next on a connection long after the cut

        assert report.failed == {"cut": 1}
        assert (report.ok, report.requests) == (11, 12)

    patiently(attempt, 0.2, 4)


def test_pings_and_fragments_are_understood() -> None:
    def fragments(connection: socket.socket, payload: bytes) -> bool:
        return say(connection, frame(PING, b"?") + frame(0x01, payload[:2]) + frame(PING) + frame(0x80, payload[2:]))

    echo = Echo(fragments)
    with Server(echo) as server:
        report = load(server)

    assert report.ok == report.requests == 100
    assert echo.seen[PONG] == 20


def test_messages_without_an_echo_time_out() -> None:
    def attempt(timeout: float) -> None:
        with Server(Echo(lambda *_: True)) as server:
            spec = Spec(server.target, rate=0, websockets=1, websocket_interval=0.02, seconds=0.2, timeout=timeout)
            with Load(spec) as running:
                report = running.wait()

        assert report.failed == {"timeout": 1}
        assert report.ok == 9

    patiently(attempt, 0.3, 10)


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("5xx", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        ("status", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ("cut", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("cut", (UPGRADE % "wrong").encode()),
        ("cut", b"HTTP/1.1 101 Sw"),
        ("reset", b""),
    ],
)
def test_a_failed_handshake_fails_the_message_it_was_made_for(outcome: str, answer: bytes) -> None:
    with Server(lambda connection, _: not say(connection, answer)) as server:
        report = load(server, seconds=0.05)

    assert report.failed == {outcome: 40}
    assert server.requests == 40


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames_of_any_length_are_read_once_they_are_whole(size: int) -> None:
    length = {0: b"\x00", 125: b"\x7d", 126: b"\x7e\x00\x7e", 65535: b"\x7e\xff\xff"}.get(
        size, struct.pack("!BQ", 127, size)
    )
    whole = b"\x82" + length + b"x" * size

    assert read_frame(whole + b"rest") == (0x82, b"x" * size, b"rest")
    assert all(read_frame(whole[:end]) is None for end in {0, 1, 2, 3, 9, len(whole) - 1} if end < len(whole))


@pytest.mark.parametrize("data", [b"\xc1\x00", b"\x11\x00", b"\x81\x80mask"])
def test_reserved_bits_and_masks_are_not_for_servers(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_frame(data)
