"""Lines of the user's in each server block of zdd's own text."""

from __future__ import annotations

import pytest

from zdd.nginx.config import server_lines
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.setup import Route
from zdd.nginx.config.trust import Trust

from ..app import ask
from ..house import House

MARK = Mark("0123456789ab", "0" * 32, "1" * 32)
LINES = """\
# Ours; with a brace } in a comment.
add_header Strict-Transport-Security "max-age=60" always;
location = /robots.txt {
    default_type text/plain;
    return 200 "User-agent: *
Disallow: /private
";
}
location /private/ { deny all; }
"""


@pytest.mark.parametrize(
    ("lines", "where", "hint"),
    [
        ("location /a { return 204;", "line 1: a block or a directive does not end", '"{" needs its "}"'),
        ("\nreturn 204", "line 2: a block or a directive does not end", 'each directive its ";"'),
        ("} server { listen 81;", "line 1: a block or a directive does not end", '"{" needs its "}"'),
        ("return 200 'a;\n", "line 1: a block or a directive does not end", 'each directive its ";"'),
        ("\nlisten 81;", "line 2: listen is set by a key", "set listen in deploy.toml"),
        ("server_name a;", "line 1: server_name is set by a key", "set server_name or host in deploy.toml"),
        ("client_max_body_size 1m;", "client_max_body_size is set by a key", "set client_max_body_size"),
        ("map $a $b { default 1; }", "line 1: map does not belong in a server block", "what nginx allows there"),
        ("upstream x { server 1.2.3.4; }", "upstream does not belong in a server block", "what nginx allows there"),
        ("location /a {\n include x;\n}", "line 2: include would read a file whose changes", "write its lines here"),
        ("location /a {\n auth_basic_user_file users;\n}", "line 2: auth_basic_user_file names users", "whole path"),
        ("root html;", "line 1: root names html, which nginx would look for below S", "the whole path"),
        ("limit_req zone=a;", "limit_req needs limit_req_zone outside of server blocks", "template in [nginx]"),
        ("location / { limit_conn a 1; }", "limit_conn needs limit_conn_zone outside", "template in [nginx]"),
        ("add_header x-zdd-slot 1;", "add_header is how zdd sees which version answers", "leave it out"),
        ("location / { proxy_set_header X-Zdd-Gate 1; }", "proxy_set_header is how zdd sees", "leave it out"),
    ],
)
def test_lines_that_cannot_stand_there_are_refused(lines: str, where: str, hint: str) -> None:
    problem = server_lines.problem(lines)

    assert problem is not None
    assert where in problem[0]
    assert hint in problem[1]


FILES = "access_log off; error_log /x; root $x; access_log syslog:server=::1; proxy_cache off;"


@pytest.mark.parametrize("lines", ["", "# nothing", LINES, FILES, "if ($a) { return 204; }", "client_body_timeout 5s;"])
def test_other_lines_are_taken(lines: str) -> None:
    assert server_lines.problem(lines) is None


def test_they_stand_in_each_server_block_as_they_are(house: House) -> None:
    house.serve(house.app("a"), routes=[Route("web"), Route("web", ["shop.example"])], server_lines=LINES, mark=MARK)

    for host in ("x", "shop.example"):
        robots = ask(house.port, "/robots.txt", headers={"Host": host})
        assert robots.body == b"User-agent: *\nDisallow: /private\n"
        assert ask(house.port, "/private/x", headers={"Host": host}).status == 403
        answer = ask(house.port, headers={"Host": host, "X-Zdd-Gate": MARK.secret})
        assert (answer.body, answer.headers["strict-transport-security"]) == (b"a", "max-age=60")
        assert MARK.read([answer.headers["x-zdd-slot"]]) is not None


def test_a_header_of_the_users_stands_beside_those_of_zdd(house: House) -> None:
    """By nginx's own rule one proxy_set_header in the server block would replace all of them."""
    app = house.app("a")
    lines = 'proxy_set_header X-Country "de";\nproxy_set_header X-Request-Id fixed;\nproxy_hide_header X-Powered-By;'
    house.serve(app, server_lines=lines, mark=MARK, trust=Trust([]))
    headers = {"Host": "shop.example", "X-Forwarded-For": "6.6.6.6", "X_Forwarded_For": "6.6.6.6"}

    answer = ask(house.port, headers=headers | {"X-Zdd-Gate": MARK.secret})

    got = app.requests[0].headers
    assert {name: got[name] for name in got if name.startswith(("x", "host"))} == {
        "host": "shop.example",
        "x-country": "de",
        "x-request-id": "fixed",
        "x-real-ip": "127.0.0.1",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "shop.example",
    }
    assert MARK.read([answer.headers["x-zdd-slot"]]) is not None


def test_a_header_that_is_dropped_can_be_passed_on_by_a_line(house: House) -> None:
    app = house.app("a")
    house.serve(app, server_lines="proxy_set_header X-Forwarded-Port $http_x_forwarded_port;")

    ask(house.port, headers={"X-Forwarded-Port": "8443", "X-Forwarded-Ssl": "on"})

    assert app.requests[0].headers["x-forwarded-port"] == "8443"
    assert "x-forwarded-ssl" not in app.requests[0].headers


def test_a_line_of_the_text_is_one_of_the_users_or_none(house: House) -> None:
    text = house.serve(house.app("a"), server_lines=LINES, mark=MARK)
    lines = text.split("\n")
    first = lines.index(LINES.split("\n")[0]) + 1

    count = LINES.count("\n")
    found = [server_lines.line_of(text, number, LINES) for number in range(first - 1, first + count + 1)]

    assert found == [None, *range(1, count + 1), None]
    assert server_lines.line_of(text, 1, LINES) is None


def test_a_changed_line_is_a_changed_text(house: House) -> None:
    texts = {house.serve(house.app(str(number)), server_lines=f"# {number}\n", mark=MARK) for number in (1, 2)}

    assert len({MARK.digest(text) for text in texts}) == 2
