"""The health request: what is shown of an answer."""

from __future__ import annotations

import fcntl
import resource
import socket

import pytest

from zdd.instances.health import request

ROOT = request.Request("/", "localhost")
PAGE = b"<!doctype html><style>h1 { color: red }</style><title>Bad Request (400)</title><h1>Sorry</h1>"
HTML = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=utf-8\r\n"


@pytest.mark.parametrize(
    ("answer", "excerpt"),
    [
        (HTML + b"Content-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE), "Sorry"),
        (
            HTML + b"Transfer-Encoding: chunked\r\n\r\n%X\r\n%s\r\n3\r\n...\r\n0\r\n\r\n" % (len(PAGE), PAGE),
            "Sorry ...",
        ),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ncut sho", "cut sho"),
        (b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n1 < 2\n  and 3 > 2", "1 < 2 and 3 > 2"),
    ],
    ids=["a page", "in chunks", "a part of a chunk", "plain text"],
)
def test_an_answer_is_shown_by_the_words_that_somebody_would_read(answer: bytes, excerpt: str) -> None:
    app, us = socket.socketpair()
    with app:
        app.sendall(answer)
        app.shutdown(socket.SHUT_WR)

        assert request.ask(us, ROOT, lambda: 5.0).excerpt == excerpt


def test_a_zddeploy_that_has_a_thousand_descriptors_can_ask_all_the_same() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    high = 2000
    if most[1] != resource.RLIM_INFINITY and most[1] <= high:
        pytest.skip(f"may not have {high} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], high + 1), most[1]))
    app, us = socket.socketpair()
    try:
        with app, us:
            app.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            asking = socket.socket(fileno=fcntl.fcntl(us, fcntl.F_DUPFD_CLOEXEC, high))
            answer = request.ask(asking, ROOT, lambda: 60.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)

    assert answer.status == 204


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 102\r\n\r\n",
    ],
)
def test_an_interim_answer_is_passed_over_however_it_arrives(interim: bytes) -> None:
    final = b"HTTP/1.1 404 Not Found\r\nX-A: b\r\nX-A: c\r\nContent-Length: 0\r\n\r\n"
    for parts in ([interim + final], [interim, final], [interim[:20], interim[20:] + final[:9], final[9:]]):
        app, us = socket.socketpair()
        with app:

            def arrive(app: socket.socket = app, parts: list[bytes] = parts) -> None:
                if parts:
                    app.sendall(parts.pop(0))

            answer = request.ask(us, ROOT, lambda: 5.0, arrive)

        assert answer.status == 404
        assert answer.all("x-a") == ["b", "c"]


def test_an_interim_answer_alone_is_none() -> None:
    app, us = socket.socketpair()
    with app:
        app.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        app.shutdown(socket.SHUT_WR)

        with pytest.raises(request.NotHttp, match="closed without an answer"):
            request.ask(us, ROOT, lambda: 5.0)


class Signalled(Exception):  # noqa: N818  (what happened)
    """Somebody has pressed Ctrl-C."""


def test_a_connect_to_a_port_whose_queue_is_full_can_be_interrupted() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # more than the queue holds: the rest gets no answer to its SYN
            each.setblocking(False)
            each.connect_ex(address)

        def interrupt() -> None:
            raise Signalled

        with pytest.raises(Signalled):
            request.connect(address, 60.0, interrupt)
        with pytest.raises(TimeoutError):
            request.connect(address, 0.1)
        for each in waiting:
            each.close()


def test_a_connect_where_nobody_listens_says_so() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))

        with pytest.raises(ConnectionRefusedError):
            request.connect(listener.getsockname()[1], 5.0)
