"""How zdd's own text passes calls on."""

from __future__ import annotations

import re

from zdd.nginx.config import grpc, passing, render
from zdd.nginx.config.setup import Route, Setup

OLD, NEW = (1, 22, 1), (1, 25, 1)


def text(version: tuple[int, int, int] = NEW, **changes: object) -> str:
    given: dict[str, object] = {
        "pid_file": "/p",
        "error_log": "/e",
        "temp_folder": "/t",
        "listen": ["80"],
        "routes": [Route("web"), Route("rpc", path="/shop.Shop")],
        "upstreams": {"web": ["unix:/a"], "rpc": ["unix:/b"]},
        "grpc": ["rpc"],
    }
    return render.render(Setup(**(given | changes)), version)  # type: ignore[arg-type]


def test_calls_have_the_headers_that_requests_have_but_those_of_a_connection() -> None:
    wanted = set(re.findall(r"(?m)^proxy_(set_header \S+|hide_header \S+|next_upstream\w* .*);", passing.LINES))
    wanted -= {"set_header Upgrade", "set_header Connection"}

    assert set(re.findall(r"(?m)^ *grpc_(set_header \S+|hide_header \S+|next_upstream\w* .*);", text())) == wanted


def test_only_services_of_grpc_are_passed_on_so() -> None:
    found = re.findall(r"location (.*) \{ (proxy_pass|grpc_pass) (\S+);", text())

    assert found == [
        ("/", "proxy_pass", "http://web"),
        ("/shop.Shop/", "grpc_pass", "grpc://rpc"),
        ("= /shop.Shop", "grpc_pass", "grpc://rpc"),
    ]


def test_http_2_is_switched_on_where_nginx_speaks_it_beside_http_1() -> None:
    assert "http2 on;" in text(NEW)
    assert "http2" not in text(OLD)
    assert grpc.problem(NEW) is None
    assert grpc.problem(OLD) == "nginx 1.22.1 speaks HTTP/2 without TLS only on ports that refuse HTTP/1.1"


def test_a_project_without_grpc_has_no_word_of_it() -> None:
    assert "grpc" not in text(grpc=[], routes=[Route("web")], upstreams={"web": ["unix:/a"]})


def test_a_stream_may_be_silent_for_an_hour_or_for_longer_where_requests_may() -> None:
    assert "grpc_read_timeout 3600s;" in text()
    assert text().count("client_body_timeout 3600s; send_timeout 3600s;") == 2, "in each of the service's locations"
    assert "grpc_read_timeout 7200s;" in text(proxy_read_timeout=7200.0)
