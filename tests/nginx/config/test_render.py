from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import time
from pathlib import Path
from threading import Event

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.nginx.config import render
from zdd.nginx.config.setup import Route, Setup

from ..app import PATIENCE, Request, ask, say
from ..house import House

POOLED = 0.05  # seconds for which nginx surely keeps a pooled connection, whose bounds are 60 ms


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def test_the_same_setup_gives_the_same_bytes_in_whatever_order() -> None:
    setup = {"pid_file": "/p", "error_log": "/e", "temp_folder": "/t", "listen": ["80"]}
    one = Setup(**setup, routes=[Route("a", ["x", "y"]), Route("b", path="/b")], upstreams={"a": ["u"], "b": ["v"]})  # type: ignore[arg-type]
    two = Setup(**setup, routes=[Route("b", path="/b"), Route("a", ["y", "x"])], upstreams={"b": ["v"], "a": ["u"]})  # type: ignore[arg-type]

    assert render.render(one, (1, 22, 1)) == render.render(two, (1, 22, 1))
    assert not re.search(r"1\.22|20\d\d", render.render(one, (1, 22, 1)))


def test_nothing_newer_than_nginx_1_18_is_written_for_it(house: House) -> None:
    setup = house.setup(house.app("a"), reloads=True)

    assert re.findall(r"keepalive\w*", render.render(setup, (1, 18, 0))) == ["keepalive_requests"]
    assert "keepalive_min_timeout" not in render.render(setup, (1, 27, 3))
    assert "keepalive_min_timeout 5s" in render.render(setup, (1, 27, 4))


def test_both_versions_take_every_feature_without_a_warning(house: House) -> None:
    listen = [f"127.0.0.1:{free_port()}", str(free_port())] + ([f"[::1]:{free_port()}"] if has_ipv6() else [])
    setup = house.setup(
        house.app("a"),
        house.app("b"),
        listen=listen,
        server_name=["one.example", "*.two.example"],
        routes=[
            Route("web", ["shop.example", "x" * 60 + ".example"]),
            Route("web", path='/odd {path}; "quoted"'),
            Route("web", ["*.shop.example", "shop.example"], "/api/"),
            Route("web"),
        ],
        reloads=True,
        client_max_body_size=0,
        proxy_read_timeout=0.25,
        user="nobody" if os.geteuid() == 0 else None,
        group="nogroup" if os.geteuid() == 0 else None,
        access_log=f"{house.folder}/access.log",
        maintenance_file=f"{house.folder}/maintenance file",
    )
    rendered = render.render(setup, house.binary.version)

    house.nginx.apply(rendered)

    result = house.commands.run([house.binary.path, "-t", "-q", "-p", house.folder, "-c", house.conf_file])
    assert (result.status, re.findall(r"\[(warn|emerg)\].*", result.output)) == (0, []), result.output


def test_every_address_is_listened_on(house: House) -> None:
    other = free_port()
    addresses = [f"127.0.0.1:{house.port}", str(other)]
    if has_ipv6():
        addresses.append(f"[::1]:{house.port}")

    house.serve(house.app("a"), listen=addresses)

    assert ask(house.port).body == ask(other).body == b"a"
    if has_ipv6():
        with contextlib.closing(http.client.HTTPConnection("::1", house.port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"a"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("site.css", "text/css"),  # a browser takes no style sheet of another type
        ("app.mjs", "text/javascript"),
        ("logo.svg", "image/svg+xml"),
        ("odd", "application/octet-stream"),
    ],
)
def test_an_asset_has_the_type_that_its_name_says(house: House, name: str, expected: str) -> None:
    assets = Path(house.folder, "assets/static")
    assets.mkdir(parents=True)
    (assets / name).touch()
    house.serve(house.app("a"), assets={"/static/": str(assets)})

    assert ask(house.port, f"/static/{name}").headers["content-type"] == expected


@pytest.fixture
def shop(house: House) -> House:
    """Services by host and path."""
    names = ("main", "api", "old", "shop", "cart", "wild")
    house.serve(
        routes=[
            Route("main"),
            Route("api", path="/api"),
            Route("old", path="/api/v1"),
            Route("shop", ["Shop.example", "www.shop.example"]),
            Route("cart", ["shop.example"], "/cart/"),
            Route("wild", ["*.wild.example"]),
        ],
        upstreams={name: [house.app(name).target] for name in names},
    )
    return house


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("other.example", "/", "main"),
        ("other.example", "/api", "api"),
        ("other.example", "/api/", "api"),
        ("other.example", "/api/v2?x=1", "api"),
        ("other.example", "/api/v1/x", "old"),
        ("other.example", "/apiary", "main"),
        ("shop.example", "/", "shop"),
        ("SHOP.example:8080", "/", "shop"),
        ("www.shop.example", "/cart/1", "shop"),
        ("shop.example", "/cart/1", "cart"),
        ("shop.example", "/cartoon", "shop"),
        ("shop.example", "/api/v1", "old"),  # a route for every host is one for this host, too
        ("a.b.wild.example", "/", "wild"),
        ("wild.example", "/", "main"),
    ],
)
def test_the_host_and_the_longest_prefix_decide(shop: House, host: str, path: str, service: str) -> None:
    assert ask(shop.port, path, headers={"Host": host}).body.decode() == service


@pytest.fixture
def nested(house: House) -> House:
    """Routes that end with a slash, inside each other and beside others, and a folder of assets."""
    assets = Path(house.folder, "assets/static")
    assets.mkdir(parents=True)
    (assets / "site.css").write_text("css")
    routes = [
        Route("main"),
        Route("api", path="/api/"),
        Route("v2", path="/api/v2/"),
        Route("both", path="/both"),
        Route("below", path="/both/"),
        Route("files", path="/static/files/"),
        Route("cart", ["shop.example"], "/cart/"),
    ]
    upstreams = {route.service: [house.app(route.service).target] for route in routes}
    house.serve(routes=routes, upstreams=upstreams, assets={"/static/": str(assets)})
    return house


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("x", "/api", "main"),
        ("x", "/api?a=b", "main"),
        ("x", "/api/", "api"),
        ("x", "/api/v2", "api"),
        ("x", "/api/v2/", "v2"),
        ("x", "/apiary", "main"),
        ("x", "/both", "both"),
        ("x", "/both/", "below"),
        ("x", "/static/files", "main"),
        ("x", "/static/files/1", "files"),
        ("x", "/cart", "main"),
        ("shop.example", "/cart", "main"),
        ("shop.example", "/cart/", "cart"),
        ("shop.example", "/api", "main"),
    ],
)
def test_a_path_without_its_last_slash_is_for_the_next_shorter_route(
    nested: House, method: str, host: str, path: str, service: str
) -> None:
    answer = ask(nested.port, path, method, {"Host": host})

    assert (answer.status, answer.body.decode()) == (200, service)


def test_a_path_without_its_last_slash_that_is_nobody_elses_is_not_found(house: House) -> None:
    house.serve(house.app("a"), routes=[Route("web", path="/api/")])

    answer = ask(house.port, "/api", "POST")

    assert (answer.status, "location" in answer.headers) == (404, False)
    assert ask(house.port, "/api/x").body == b"a"


def test_a_websocket_gets_no_redirect(nested: House) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}

    assert ask(nested.port, "/api", headers=headers).body == b"main"


def test_no_redirect_of_nginx_names_its_own_port(house: House) -> None:
    assert "absolute_redirect off;" in house.serve(house.app("a"))


def test_paths_reach_the_app_as_they_were_sent(house: House) -> None:
    app = house.app("a")
    house.serve(app)

    ask(house.port, "/a%2Fb//c/../d?x=%20y")

    assert app.requests[0].line == "GET /a%2Fb//c/../d?x=%20y HTTP/1.1"


def test_an_unknown_host_and_an_unknown_path_are_not_found(house: House) -> None:
    house.serve(house.app("a"), server_name=["shop.example"], routes=[Route("web", path="/api")])

    statuses = [
        ask(house.port, path, headers={"Host": host}).status
        for host, path in [("shop.example", "/api/x"), ("shop.example", "/"), ("other.example", "/api/x")]
    ]

    assert statuses == [200, 404, 404]


def test_a_host_of_its_own_comes_before_the_server_name(house: House) -> None:
    routes = [Route("a"), Route("b", ["shop.example"])]
    upstreams = {name: [house.app(name).target] for name in "ab"}
    house.serve(server_name=["shop.example", "www.example"], routes=routes, upstreams=upstreams)

    bodies = [ask(house.port, headers={"Host": host}).body for host in ("shop.example", "www.example")]

    assert bodies == [b"b", b"a"]


def test_the_app_is_told_who_asked_for_what(house: House) -> None:
    app = house.app("a")
    house.serve(app)

    ask(house.port, headers={"Host": "shop.example:81", "X-Forwarded-For": "203.0.113.9, 10.0.0.1"})

    got = app.requests[0].headers
    request_id = got.pop("x-request-id")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert got == {
        "host": "shop.example:81",
        "x-real-ip": "203.0.113.9",
        "x-forwarded-for": "203.0.113.9, 10.0.0.1, 127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "shop.example:81",
        "accept-encoding": "identity",
    }


def test_a_request_id_and_the_protocol_before_us_are_passed_on(house: House) -> None:
    app = house.app("a")
    house.serve(app)

    ask(house.port, headers={"X-Request-ID": "mine", "X-Forwarded-Proto": "https"})
    ask(house.port, headers={"X-Forwarded-Proto": "gopher"})

    assert app.requests[0].headers["x-request-id"] == "mine"
    assert [request.headers["x-forwarded-proto"] for request in app.requests] == ["https", "http"]


def test_a_client_that_names_no_host_is_served(house: House) -> None:
    app = house.app("a")
    house.serve(app, server_name=[])
    with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").readline().split()[1] == b"200"

    assert app.requests[0].headers["host"] == "_"  # HTTP/1.1 must have one


def test_the_upstream_connection_is_reused_and_closed_by_nginx_soon(house: House) -> None:
    app = house.app("a")
    house.serve(app)
    begun = time.monotonic()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", house.port, timeout=PATIENCE)) as client:
        for number in range(20):
            client.request("POST" if number % 2 else "GET", "/")
            client.getresponse().read()

    assert app.connected <= 2 + (time.monotonic() - begun) / POOLED
    eventually(lambda: not app.open)


def test_a_busy_upstream_connection_too_is_closed_soon(house: House) -> None:
    app = house.app("a")
    house.serve(app)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", house.port, timeout=PATIENCE)) as client:
        begun = [0.0]

        def is_another_though_it_was_busy() -> bool:
            """Requests came without a pause in which nginx closes an idle one: on a busy machine there may be some."""
            before = app.connected
            begun.append(time.monotonic())
            client.request("POST", "/")
            assert client.getresponse().read() == b"a"
            return app.connected > before and time.monotonic() - begun[-2] < POOLED

        eventually(is_another_though_it_was_busy)


def test_a_websocket_passes_and_other_upgrades_do_not(house: House) -> None:
    def upgrade(connection: socket.socket, request: Request) -> bool:
        if "upgrade" not in request.headers:
            return say("plain")(connection, request)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := connection.recv(1000):
            connection.sendall(data.upper())
        return False

    app = house.app("a", behaviour=upgrade)
    house.serve(app)
    with socket.create_connection(("127.0.0.1", house.port), PATIENCE) as client, client.makefile("rb") as stream:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
        status = stream.readline()
        http.client.parse_headers(stream)
        client.sendall(b"\x81hello\n")
        assert (status.split()[1], stream.readline()) == (b"101", b"\x81HELLO\n")

    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    assert ask(house.port, headers=headers).body == b"plain"
    assert "connection" not in app.requests[-1].headers


def test_events_are_sent_on_at_once(house: House) -> None:
    seen = Event()

    def events(connection: socket.socket, _: Request) -> bool:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n"
        connection.sendall(head.encode() + b"data: 1\n\n")
        assert seen.wait(PATIENCE)
        connection.sendall(b"data: 2\n\n")
        return False

    house.serve(house.app("a", behaviour=events))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", house.port, timeout=PATIENCE)) as client:
        client.request("GET", "/")
        answer = client.getresponse()
        first = answer.readline()
        seen.set()

        assert (first, answer.read()) == (b"data: 1\n", b"\ndata: 2\n\n")


def test_a_body_may_be_as_large_as_allowed(house: House) -> None:
    app = house.app("a")
    house.serve(app, client_max_body_size=100_000)

    statuses = [ask(house.port, method="POST", body=bytes(size)).status for size in (100_000, 100_001)]

    assert statuses == [200, 413]  # the first one by way of the temporary folder
    assert len(app.requests[0].body) == 100_000


def test_an_answer_that_does_not_come_in_time_is_504(house: House) -> None:
    never = Event()
    house.serve(house.app("a", behaviour=lambda *_: never.wait(PATIENCE)), proxy_read_timeout=0.3)

    assert ask(house.port).status == 504
    never.set()


def test_while_the_maintenance_file_exists_all_is_answered_503(house: House) -> None:
    app = house.app("a", behaviour=say("the app's own", "503 Service Unavailable"))
    flag = f"{house.folder}/maintenance"
    house.serve(app, maintenance_file=flag, routes=[Route("web"), Route("web", ["shop.example"])])
    before = ask(house.port)
    with open(flag, "w") as page:
        page.write("<p>maintenance")
        page.flush()
        asks = [(method, {"Host": host}) for method in ("GET", "POST") for host in ("x", "shop.example")]
        during = [ask(house.port, "/x", method, headers) for method, headers in asks]
    asked = len(app.requests)
    os.unlink(flag)

    assert (before.status, before.body) == (503, b"the app's own")
    assert {(answer.status, answer.headers["retry-after"]) for answer in during} == {(503, "30")}
    assert {answer.body for answer in during} == {b"<p>maintenance"}
    assert asked == 1
    assert ask(house.port, "/zdd-maintenance").status == 404
    assert ask(house.port).body == b"the app's own"


def test_nothing_tells_nginx_version(house: House) -> None:
    house.serve(house.app("a"), routes=[Route("web", ["shop.example"])])

    answer = ask(house.port)

    assert (answer.status, answer.headers["server"]) == (404, "nginx")
    assert b"nginx/" not in answer.body
