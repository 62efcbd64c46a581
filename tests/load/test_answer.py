from __future__ import annotations

import pytest

from zdd.load.http import Answer, MalformedError, read_head

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "keep"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello", 200, True),
        (HEAD + b"content-length:0\r\n\r\n", 200, True),
        (HEAD + b"Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", 200, True),
        (HEAD + b"Connection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n", 200, False),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", 200, True),
        (CHUNKED + b"A;name=value\r\n0123\r\n6789\r\n000\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", 200, True),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 200, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, True),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: x\r\n\r\nHTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
            404,
            True,
        ),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", 200, True),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_an_answer_is_complete_at_its_last_byte_however_it_arrives(
    data: bytes, status: int, keep: bool, step: int
) -> None:
    answer = Answer()
    pieces = [data[at : at + step] for at in range(0, len(data), step)]

    complete = [answer.feed(piece) for piece in pieces]

    assert complete == [False] * (len(pieces) - 1) + [True]
    assert answer.head
    assert (answer.head.status, answer.head.keep) == (status, keep)


@pytest.mark.parametrize("data", [HEAD + b"\r\n", HEAD + b"Transfer-Encoding: gzip\r\n\r\nzip"])
def test_a_body_without_a_length_lasts_until_the_server_closes(data: bytes) -> None:
    answer = Answer()

    assert not answer.feed(data)
    assert not answer.feed(b"more\r\n\r\n")
    assert answer.end()


@pytest.mark.parametrize("data", [b"", HEAD, HEAD + b"Content-Length: 2\r\n\r\n1", CHUNKED + b"0\r\n"])
def test_an_answer_that_ends_early_is_not_complete(data: bytes) -> None:
    answer = Answer()

    assert not answer.feed(data)
    assert not answer.end()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Name : blank before the colon\r\n\r\n",
        HEAD + b"Name: folded\r\n line\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        HEAD + b"Content-Length:\r\n\r\n",
        HEAD + b"X: " + b"x" * 70_000,
        CHUNKED + b"0x1\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"2\r\nlonger\r\n",
        CHUNKED + b"0\r\nno trailer\r\n",
    ],
)
def test_what_a_browser_could_not_use_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Answer().feed(data)


def test_what_comes_after_an_answer_is_no_part_of_it() -> None:
    answer = Answer()

    assert answer.feed(HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1")
    assert answer.rest == b"HTTP/1.1"


def test_a_field_is_read_whatever_its_case() -> None:
    head = read_head(HEAD + b"X-Release:  v1 ")

    assert head.value(b"x-release") == "v1"
    assert head.value(b"x-other") == ""
