"""What real clients send and expect: large heads, odd lines, bodies, streams. Each by bytes on a socket."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from zdd.nginx.config.setup import Route

from ..app import PATIENCE, App, Behaviour, Request, ask, say
from ..house import House


@contextlib.contextmanager
def client(house: House) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as connection:
        yield connection


def exchange(house: House, data: bytes) -> bytes:
    """Send this on one connection, and read until nginx closes it."""
    with client(house) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture
def app(house: House) -> App:
    made = house.app("a")
    house.serve(made)
    return made


@pytest.mark.parametrize("size", [8192, 16_000, 32_000])
def test_large_cookies_reach_the_app(house: House, app: App, size: int) -> None:
    """N5: a line of 8,192 bytes was answered 400."""
    answer = ask(house.port, headers={"Cookie": "a" * size})

    assert (answer.status, len(app.requests[0].headers["cookie"])) == (200, size)


def test_many_large_headers_reach_the_app(house: House, app: App) -> None:
    headers = {f"X-Part-{number}": "a" * 15_000 for number in range(6)}

    assert ask(house.port, headers=headers).status == 200
    assert len(app.requests[0].headers["x-part-5"]) == 15_000


def test_a_huge_url_reaches_the_app_and_a_larger_one_is_refused(house: House, app: App) -> None:
    assert ask(house.port, f"/?{'a' * 30_000}").status == 200
    assert ask(house.port, f"/?{'a' * 40_000}").status == 414
    assert len(app.requests[0].line) > 30_000


@pytest.mark.parametrize("size", [16_000, 32_000, 60_000])
def test_large_headers_of_an_answer_reach_the_client(house: House, size: int) -> None:
    """N5: more than 16 kB were answered 502."""
    line = f"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: {'a' * size}\r\n\r\na".encode()

    def answer(connection: socket.socket, _: Request) -> bool:
        connection.sendall(line)
        return True

    house.serve(house.app("a", answer))
    with client(house) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        got = b"".join(iter(lambda: connection.recv(65536), b""))

    assert (status(got), len(got) > size) == (200, True)


def test_header_names_with_an_underscore_reach_the_app(house: House, app: App) -> None:
    """N6: they were dropped silently."""
    ask(house.port, headers={"api_key": "1", "X_Tenant-Id": "2"})

    assert (app.requests[0].headers["api_key"], app.requests[0].headers["x_tenant-id"]) == ("1", "2")


def test_in_an_absolute_request_the_host_in_the_line_is_meant(house: House) -> None:
    """RFC 9112, 3.2.2: an app that believed the Host header would answer for another host than was routed."""
    apps = {name: house.app(name) for name in ("one", "two")}
    house.serve(
        routes=[Route("one", ["one.example"]), Route("two", ["two.example"])],
        upstreams={name: [app.target] for name, app in apps.items()},
    )

    exchange(house, b"GET http://one.example:81/x?y HTTP/1.1\r\nHost: two.example\r\nConnection: close\r\n\r\n")
    exchange(house, b"GET HTTP://one.example HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n")
    exchange(house, b"GET /http://one.example/ HTTP/1.1\r\nHost: two.example\r\nConnection: close\r\n\r\n")

    hosts = [request.headers["host"] for request in apps["one"].requests]
    assert hosts == ["one.example:81", "one.example"]
    assert apps["one"].requests[0].headers["x-forwarded-host"] == "one.example:81"
    assert [request.line.split()[1] for request in apps["one"].requests] == ["/x?y", "/"]
    assert apps["two"].requests[0].headers["host"] == "two.example"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Host: SHOP.example", 200),
        (b"Host: shop.example.", 200),
        (b"Host: shop.example:65000", 200),
        (b"Host: [::1]:80", 200),
        (b"Host: ", 400),
        (b"X: y", 400),
        (b"Host: a/b", 400),
        (b"Host: a b", 400),
        (b"Host: a\r\nHost: b", 400),
        (b"Host: shop.example:", 200),
        (b"Host: shop_1.example:65535", 200),
        (b"Host: shop.example:65536", 400),
        (b"Host: shop.example:1@evil.example", 400),
        (b"Host: shop.example:evil.example", 400),
        (b"Host: shop.example:80:90", 400),
        (b"Host: evil.example#.shop.example", 400),
        (b"Host: evil.example?shop.example", 400),
        (b"Host: evil.example\\shop.example", 400),
        (b"Host: user@shop.example", 400),
        (b'Host: "><script>.shop.example', 400),
        (b"Host: [::1]evil.example", 400),
    ],
)
def test_odd_hosts_are_served_or_refused(house: House, app: App, line: bytes, expected: int) -> None:
    answer = exchange(house, b"GET / HTTP/1.1\r\n" + line + b"\r\nConnection: close\r\n\r\n")

    assert status(answer) == expected
    assert len(app.requests) == (expected == 200)


def test_who_waits_for_100_is_told_413_before_the_body(house: House) -> None:
    house.serve(house.app("a"), client_max_body_size=1000)
    with client(house) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n")

        assert status(connection.recv(65536)) == 413


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_who_sends_too_much_at_once_reads_413_and_no_reset(house: House, chunked: bool) -> None:
    house.serve(house.app("a"), client_max_body_size=1000)
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 50000000\r\n\r\n"
    part = b"%x\r\n%s\r\n" % (1_000_000, bytes(1_000_000)) if chunked else bytes(1_000_000)
    with client(house) as connection:
        connection.sendall(head)
        for _ in range(50):
            connection.sendall(part)
        if chunked:
            connection.sendall(b"0\r\n\r\n")

        assert status(connection.recv(65536)) == 413


def test_who_waits_for_100_gets_it_for_a_body_that_is_allowed(house: House, app: App) -> None:
    with client(house) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert status(connection.recv(65536)) == 100
        connection.sendall(b"abc")
        assert status(connection.recv(65536)) == 200

    assert app.requests[0].body == b"abc"
    assert "expect" not in app.requests[0].headers


def test_a_chunked_body_reaches_the_app_with_its_length(house: House, app: App) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    answer = exchange(house, head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")

    assert (status(answer), app.requests[0].body) == (200, b"abcde")
    assert "transfer-encoding" not in app.requests[0].headers


def test_a_length_beside_chunks_is_refused(house: House, app: App) -> None:
    """Two servers that read such a request differently take the rest for another one."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"

    assert status(exchange(house, head + b"0\r\n\r\n")) == 400
    assert app.requests == []


def test_a_client_of_http_1_0_reads_chunks_of_an_app_without_their_sizes(house: House) -> None:
    house.serve(house.app("a", _chunks(b"one", b"two")))

    answer = exchange(house, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")

    assert (status(answer), answer.partition(b"\r\n\r\n")[2]) == (200, b"onetwo")
    assert b"chunked" not in answer


def test_a_head_request_gets_the_length_and_no_body(house: House, app: App) -> None:
    answer = exchange(house, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert re.search(rb"(?i)content-length: 1\r\n", answer)
    assert answer.endswith(b"\r\n\r\n")


def test_a_range_reaches_the_app_and_its_part_the_client(house: House) -> None:
    def part(connection: socket.socket, request: Request) -> bool:
        assert request.headers["range"] == "bytes=2-4"
        assert request.headers["if-range"] == '"v1"'
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\ncde"
        connection.sendall(head)
        return True

    house.serve(house.app("a", part))

    answer = ask(house.port, headers={"Range": "bytes=2-4", "If-Range": '"v1"'})

    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, b"cde", "bytes 2-4/9")


def _chunks(*parts: bytes, between: Event | None = None) -> Behaviour:
    """Answer in chunks; each but the first one waits for the event."""

    def answer(connection: socket.socket, _: Request) -> bool:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        for number, part in enumerate(parts):
            if number and between:
                assert between.wait(PATIENCE)
                between.clear()
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")
        return True

    return answer


def test_events_come_at_once_without_a_word_about_buffers(house: House) -> None:
    """As every server sends them that speaks HTTP/1.1: in chunks."""
    seen = Event()
    events = [b"data: %d\n\n" % number for number in range(5)]
    house.serve(house.app("a", _chunks(*events, between=seen)))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", house.port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        for event in events:
            assert (answer.readline() + answer.readline()) == event
            seen.set()

        assert answer.read() == b""


def test_a_long_poll_waits_for_its_answer(house: House) -> None:
    ready = Event()

    def wait(connection: socket.socket, request: Request) -> bool:
        assert ready.wait(PATIENCE)
        return say("news")(connection, request)

    house.serve(house.app("a", wait))
    timer = threading.Timer(1.5, ready.set)
    timer.start()

    assert ask(house.port).body == b"news"
    timer.join()


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "shop.example"])
def test_a_balancer_that_asks_by_address_is_answered(house: House, host: str) -> None:
    """N7: 404 once a host is set."""
    app = house.app("a")
    house.serve(app, routes=[Route("web", ["shop.example"])])

    answer = ask(house.port, "/zdd-health", headers={"Host": host})

    # A service's host is its own: there it is a path like any other.
    assert (answer.status, answer.body) == (200, b"a" if host == "shop.example" else b"ok\n")
    assert ask(house.port, "/", headers={"Host": "192.0.2.1"}).status == 404


def test_the_path_for_balancers_belongs_to_a_service_that_has_it(house: House, app: App) -> None:
    house.serve(app, routes=[Route("web", path="/zdd-health")])

    assert ask(house.port, "/zdd-health").body == b"a"


def test_a_balancer_is_answered_during_maintenance_and_visitors_get_the_page(house: House, app: App) -> None:
    flag = f"{house.folder}/maintenance"
    house.serve(app, maintenance_file=flag)
    with open(flag, "w") as page:
        page.write("<p>soon")

    assert (ask(house.port, "/zdd-health").status, ask(house.port).status) == (200, 503)
    assert ask(house.port, "/zdd-health%0A").status == 503
    assert app.requests == []


def test_files_are_compressed_and_answers_of_apps_are_not(house: House) -> None:
    """BREACH."""
    assets = Path(house.folder, "assets/static")
    assets.mkdir(parents=True)
    (assets / "site.css").write_text("a { color: red }\n" * 500)
    body = "x" * 5000
    for gzip in (True, False):
        house.serve(house.app(f"a{gzip}", say(body)), assets={"/static/": str(assets)}, gzip=gzip)
        headers = {"Accept-Encoding": "gzip", "Via": "1.1 proxy"}

        file, answer = ask(house.port, "/static/site.css", headers=headers), ask(house.port, headers=headers)
        missing = ask(house.port, "/static/other.css", headers=headers)

        assert file.headers.get("content-encoding") == ("gzip" if gzip else None)
        assert file.headers.get("vary") == "Accept-Encoding"  # there may be x.css.gz beside it at any time
        assert [one.headers.get("content-encoding") for one in (answer, missing)] == [None, None]
        assert answer.body == missing.body == body.encode()
