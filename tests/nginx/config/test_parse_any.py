"""What holds of every text."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fuzz.profile import holds
from tests.fuzz.texts import mutated
from zdd.nginx.config import include, lint, listen, maintenance, parse, target, template, visit
from zdd.nginx.config.include import Source
from zdd.nginx.config.lint import Served
from zdd.nginx.config.parse import Directive
from zdd.nginx.config.visit import Wish

from . import written

SERVICES = {"web": Served(2, by_link=True)}
PIECES = [
    *written.ODD,
    *(
        "http {",
        "server {",
        "listen 80;",
        "listen [::]:1;",
        "listen unix:/x ssl;",
        "server_name a *.b ~c[;",
        "stream {",
    ),
    *(
        "location ~ ( {",
        "location /a {",
        "location = /b {",
        "location @c {",
        "proxy_pass http://web;",
        "}",
        "include x;",
    ),
    *("set $a $a;", "set $a b$b;", "map $a $b {", "proxy_pass http://$a;", "try_files $uri @c;", "rewrite ( /b;"),
    *(
        "upstream web {",
        "ip_hash;",
        "{web.servers}",
        "keepalive 2;",
        "keepalive_time 1h1;",
        "if ($a = b) {",
        "return 1;",
    ),
    *("location {", "listen;", "server_name;", "set;", "map;", "upstream;", "keepalive_time;", "allow all;", "user x;"),
    *(
        "events {",
        "worker_connections 1;",
        "internal;",
        "error_page 503 @c;",
        "deny all;",
        "# {web}\n",
        "x_by_lua_block {",
    ),
]
TEMPLATE = b"""user www-data;
events { worker_connections 512; }
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    upstream web { {web.servers} keepalive 64; }
    upstream api { server 127.0.0.1:{api}; } # {a comment}
    server {
        listen 443 ssl default_server; listen [::]:8080 proxy_protocol;
        server_name shop.test *.shop.test ~^a(b|c)$;
        location / { proxy_pass http://web; if ($request_method = "POST") { return 418; } }
        location ~ ^/api/(?<id>\\d+) { set $up api; proxy_pass http://$up/x; }
        error_page 502 503 = @down; location @down { internal; return 503 "a; b"; }
    }
    include conf.d/*.conf;
    content_by_lua_block { ngx.say("}") }
}
pid {nginx_pid_filename};
"""
texts = st.one_of(
    st.text(),
    written.odd_text,
    st.lists(st.sampled_from(PIECES)).map(" ".join),
    mutated([TEMPLATE]).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


@holds(written.trees)
def test_what_is_written_is_read(tree: list[Directive]) -> None:
    assert parse.parse(written.text(tree)) == tree


@holds(written.trees)
def test_every_directive_knows_its_line_and_its_place_in_the_text(tree: list[Directive]) -> None:
    text = written.text(tree)

    for place in parse.walk(parse.parse(text, "x")):
        spot = place.directive.spot
        assert spot.line == text.count("\n", 0, spot.start) + 1
        assert parse.parse(text[spot.start : spot.end] + ("}" if place.directive.block is not None else "")) in (
            [place.directive],
            [replace(place.directive, block=[])],
        )


@holds(texts)
def test_whatever_the_text_is_nothing_is_raised(text: str) -> None:
    for is_template in (False, True):
        tree = parse.parse(text, "x", is_template)
        passes = target.passes(tree, SERVICES, named=True)
        list(lint.judge(tree, (1, 29, 7), SERVICES, passes))
        visit.find(tree, {"web": Wish("a", "/a")}, named=True)
        maintenance.visits(tree, "web")
    listen.ports(text)
    template.mentions(text, ["web"])
    include.expand(text, "/x", lambda path: [Source(path, text)])


@holds(texts)
def test_a_template_without_values_stays_as_it_is(text: str) -> None:
    assert template.render(text, {}) == text
    assert template.render(text, {"web.servers": "{web.servers}", "x": "{x}"}, {"x": "{x}"}) == text
