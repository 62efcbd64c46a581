"""The maintenance lines beside what users have in their own server blocks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from zdd.nginx.config import maintenance, parse
from zdd.nginx.config.listen import Visit

from ..app import ask
from ..house import House

# As docs/guides said until 0.1.0: many a server block has them.
OLD_LINES = """
    set $zdd_maintenance "";
    if (-f /run/zdd/shop/maintenance) { set $zdd_maintenance $uri; }
    if ($zdd_maintenance !~ "^(/zdd-maintenance)?$") { return 503; }
    error_page 503 /zdd-maintenance;
    location = /zdd-maintenance { internal; alias /run/zdd/shop/maintenance; }
"""


@pytest.fixture
def page(house: House) -> Path:
    return Path(house.folder, "maintenance")


def serve(house: House, page: Path, beside: str = "", http: str = "") -> None:
    lines = f"{maintenance.lines(str(page))} {beside} location /app {{ return 200 app; }}"
    house.nginx.apply(house.simple("app", lines).replace("access_log off;", f"access_log off; {http}", 1))


def test_a_503_of_the_user_s_own_stays_what_it_is(house: House, page: Path) -> None:
    limit = "location /one { limit_req zone=one; proxy_pass http://127.0.0.1:1; } location /busy { return 503; }"
    serve(house, page, limit, "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;")

    answers = [ask(house.port, path).status for path in ("/one", "/one", "/busy")]
    page.write_text("back soon")
    during = [ask(house.port, path, method) for path in ("/one", "/busy") for method in ("GET", "POST")]

    assert answers == [502, 503, 503]
    assert {(answer.status, answer.body) for answer in during} == {(503, b"back soon")}
    assert {answer.headers["retry-after"] for answer in during} == {"30"}


@pytest.mark.parametrize(
    "path", ["/", "/x", "/zdd-maintenance%0A", "/zdd-maintenance%0a%0a", "/zdd-maintenance%00", "/a%0Ab"]
)
def test_no_request_slips_through(house: House, page: Path, path: str) -> None:
    serve(house, page)
    page.write_text("back soon")

    assert ask(house.port, path).status in (503, 400)
    assert b"app" not in ask(house.port, path).body


def test_the_page_is_nobody_s_to_ask_for(house: House, page: Path) -> None:
    serve(house, page)
    assert ask(house.port, "/zdd-maintenance").status == 404
    page.write_text("back soon")
    assert ask(house.port, "/zdd-maintenance").status in (404, 503)


def test_a_cache_of_open_files_delays_neither_on_nor_off(house: House, page: Path) -> None:
    serve(house, page, http="open_file_cache max=100; open_file_cache_valid 60s; open_file_cache_errors on;")
    for _ in range(2):
        assert {ask(house.port).body for _ in range(20)} == {b"app"}
        page.write_text("back soon")
        assert {ask(house.port).status for _ in range(20)} == {503}
        os.unlink(page)
    page.write_text("first")
    assert ask(house.port).body == b"first"
    time.sleep(0.01)
    page.write_text("second, longer")
    assert ask(house.port).body == b"second, longer"


def test_the_lines_of_old_guides_are_still_known() -> None:
    server = f"http {{ server {{ listen 443 ssl; server_name shop.test; {OLD_LINES} location / {{ return 200; }} }} }}"

    found = maintenance.visits(parse.parse(server), "/run/zdd/shop/maintenance")

    assert found == ([Visit("shop.test", ("127.0.0.1", 443), "shop.test", "/", tls=True)], [])


def test_only_server_blocks_that_a_visitor_reaches_are_asked() -> None:
    lines = maintenance.lines("/m")
    text = f"""
    server {{ listen unix:/x; server_name socket; {lines} }}
    server {{ listen unix:/x; listen 83 proxy_protocol; server_name pp; {lines} }}
    server {{ listen 81 http2; listen localhost:82; server_name name; {lines} }}
    server {{ {lines} }}
    # {lines.splitlines()[1]}
    server {{ listen 84; }}
    """

    assert maintenance.visits(parse.parse(text), "/m") == (
        [
            Visit("pp", ("127.0.0.1", 83), "pp", "/", proxy_protocol=True),
            Visit("name", ("localhost", 82), "name", "/"),
            Visit("_", ("127.0.0.1", 80), "localhost", "/"),
        ],
        ["socket"],
    )
