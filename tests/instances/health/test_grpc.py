"""The health check of gRPC, against grpcio and against answers that no server would give."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc as grpcio
import h2.config
import h2.connection
import hpack as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zdd.instances.health import grpc, hpack, request

LETTERS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
NAMES = st.sampled_from([":status", "content-type", "grpc-status", "grpc-message", "x-release", "date", "server"])
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@contextmanager
def server(path: Path, answer: Any = None) -> Iterator[str]:
    """One whose health is this message, or an exception; or that has no such service."""

    def check(_: bytes, context: grpcio.ServicerContext) -> bytes:
        if isinstance(answer, grpcio.StatusCode):
            context.abort(answer, "so it is")
        assert isinstance(answer, bytes)
        return answer

    made = grpcio.server(ThreadPoolExecutor(2))
    if answer is not None:
        method = {"Check": grpcio.unary_unary_rpc_method_handler(check)}
        made.add_generic_rpc_handlers((grpcio.method_handlers_generic_handler("grpc.health.v1.Health", method),))
    made.add_insecure_port(f"unix:{path}")
    made.start()
    try:
        yield str(path)
    finally:
        made.stop(None).wait()


def ask(path: str) -> grpc.Reply:
    return grpc.ask(request.connect(path, 5.0), "shop.test", lambda: 20.0)


@pytest.mark.parametrize(
    ("answer", "problem", "notice"),
    [
        (SERVING, None, ""),
        (NOT_SERVING, "says NOT_SERVING", ""),
        (b"", "says UNKNOWN", ""),
        (None, None, "was answered UNIMPLEMENTED, taken as healthy"),
        (grpcio.StatusCode.UNAUTHENTICATED, None, "was answered UNAUTHENTICATED, taken as healthy"),
        (grpcio.StatusCode.UNAVAILABLE, "was answered UNAVAILABLE (so it is)", ""),
        (grpcio.StatusCode.INTERNAL, "was answered INTERNAL (so it is)", ""),
    ],
)
def test_what_a_server_says_of_its_health(tmp_path: Path, answer: Any, problem: str | None, notice: str) -> None:
    with server(tmp_path / "s", answer) as path:
        reply = ask(path)

    assert reply.status == 200
    assert reply.problem == problem
    assert problem or reply.notice.endswith(notice)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is HTTP/1"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", "the answer is not HTTP/2"),
        (b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\1\x01\x04\0\0\0\1\xff", "headers cannot be read"),
        (b"\0\0\4\x03\0\0\0\0\1\0\0\0\2", "the call was reset"),
        (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\1", "the call was reset"),
    ],
)
def test_what_is_no_answer_is_named(data: bytes, words: str) -> None:
    app, us = socket.socketpair()
    with app:
        app.sendall(data)
        app.shutdown(socket.SHUT_WR)

        with pytest.raises(request.NotHttp, match=words):
            grpc.ask(us, "shop.test", lambda: 5.0)


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked() -> None:
    app, us = socket.socketpair()
    with app, pytest.raises(TimeoutError):
        grpc.ask(us, "shop.test", lambda: 0.0)


def test_the_call_is_one_that_another_implementation_understands() -> None:
    app, us = socket.socketpair()
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    with app, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(grpc.ask, us, "shop.test", lambda: 20.0)
        headers, body = None, b""
        while not body:
            for event in state.receive_data(app.recv(65536)):
                headers = getattr(event, "headers", headers)
                body += getattr(event, "data", b"") if type(event).__name__ == "DataReceived" else b""
        state.ping(b"12345678")
        state.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
        state.send_data(1, b"\0\0\0\0\2" + SERVING, pad_length=7)
        state.send_headers(1, [("grpc-status", "0"), ("grpc-message", "")], end_stream=True)
        app.sendall(state.data_to_send())
        reply = asked.result()

    assert headers
    assert dict(headers)[":path"] == "/grpc.health.v1.Health/Check"
    assert dict(headers)[":authority"] == "shop.test"
    assert body == grpc.NO_MESSAGE
    assert reply.problem is None


@given(st.lists(st.lists(st.tuples(NAMES, LETTERS), max_size=6), max_size=4))
@settings(deadline=None)
def test_headers_are_those_that_another_implementation_has_written(blocks: list[list[tuple[str, str]]]) -> None:
    encoder, decoder = reference.Encoder(), hpack.Decoder()

    for block in blocks:
        assert decoder.decode(encoder.encode(block)) == block


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        hpack.Decoder().decode(data)
    except hpack.Damaged:
        pass
