"""What is said of somebody else's nginx text, and of a good one nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.nginx.config import lint, parse, upstream
from zdd.nginx.config.lint import Served
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.target import mark, passes
from zdd.nginx.config.version import Version

OLD: Version = (1, 22, 1)
NEW: Version = (1, 29, 7)
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
SERVED = {"web": Served(1, by_link=True)}
BOUND = "proxy_next_upstream_tries 2;"

MARK = Mark("0123456789ab", "5" * 32, "a" * 32)


def told(
    inside: str = "",
    pool: str = "",
    version: Version = OLD,
    instances: int = 1,
) -> list[str]:
    """What is said of a text with these lines in its location and its upstream."""
    text = f"""
    http {{
        upstream app {{ server {mark("web")}; {pool} }}
        upstream other {{ server 10.0.0.1:80; keepalive 9; }}
        server {{
            location / {{ proxy_pass http://app; {inside} }}
            location /other {{ proxy_pass http://other; }}
        }}
    }}"""
    found = passes(parse.parse(text), ["web"], named=False)
    return [one.what for one in lint.advise(found, version, {"web": Served(instances, by_link=True)})]


def test_of_a_good_text_there_is_nothing_to_say() -> None:
    assert told(UPGRADE) == []
    for version in (OLD, NEW):
        lines = upstream.servers([mark("web")], version).replace("\n", " ")
        assert told(UPGRADE, lines, version) == []


@pytest.mark.parametrize(
    ("pool", "version"),
    [
        ("keepalive 32;", OLD),
        ("keepalive 32; keepalive_time 1s;", OLD),
        ("keepalive 32; keepalive_time 1h; keepalive_timeout 1s;", OLD),
        ("keepalive 32; keepalive_timeout 1m 10s; keepalive_time 1s;", OLD),
        ("", NEW),
    ],
)
def test_a_pool_without_short_bounds_is_severe_where_deploys_move_a_link(pool: str, version: Version) -> None:
    text = f"upstream app {{ server {mark('web')}; {pool} }} location / {{ proxy_pass http://app; {UPGRADE} }}"
    found = passes(parse.parse(text), ["web"], named=False)

    (one,) = lint.advise(found, version, {"web": Served(1, by_link=True)})
    (other,) = lint.advise(found, version, {"web": Served(1, by_link=False)})

    assert one.what.startswith("upstream app: ")
    assert (one.level, other.level) == ("error", "warning")
    assert "{web.servers}" in one.fix


def test_who_asks_for_no_pool_has_none() -> None:
    assert told(UPGRADE, "keepalive 0;", NEW) == []


def test_repeating_without_a_bound_matters_with_several_instances() -> None:
    assert told(UPGRADE, instances=3) == ["location /: proxy_pass to web: proxy_next_upstream has no bound"]
    assert told(UPGRADE + BOUND, instances=3) == []
    assert told(UPGRADE + "proxy_next_upstream off;", instances=3) == []
    assert told(UPGRADE) == []


def test_repeating_posts_is_told_of() -> None:
    assert told(UPGRADE + BOUND + "proxy_next_upstream error non_idempotent;") == [
        "location /: proxy_pass to web: proxy_next_upstream repeats POSTs (non_idempotent)"
    ]


@pytest.mark.parametrize("headers", ["", "proxy_set_header Host $host;"])
def test_websockets_need_their_header(headers: str) -> None:
    assert told(headers) == ["location /: proxy_pass to web: WebSockets cannot pass"]


@pytest.mark.parametrize(
    "target",
    [
        "http://web",
        "http://web/",
        "http://web:80/x",
        "https://web",
        f"http://{mark('web')}",
        f"http://unix:{mark('web')}",
    ],
)
def test_a_service_is_found_by_its_upstream_s_name_or_its_address(target: str) -> None:
    found = passes(parse.parse(f"location / {{ proxy_pass {target}; }}"), ["web", "we"], named=True)

    assert [one.service for one in found] == ["web"]


def test_the_samples_are_good_examples() -> None:
    for template in Path(__file__).parents[3].glob("samples/*/nginx.conf.template"):
        text = template.read_text().replace(f"{{{template.parent.name}}}", mark("web"))
        found = passes(parse.parse(text), ["web"], named=False)

        assert found
        assert not [one for one in lint.advise(found, NEW, {"web": Served(1, True)}) if "WebSockets" not in one.what]


def test_a_second_keepalive_is_told_in_one_line() -> None:
    lines = upstream.servers([mark("web")], OLD)

    assert told(UPGRADE, f"keepalive 16; {lines}") == ["upstream app: keepalive is there twice"]


def test_a_finding_names_the_file_and_the_line() -> None:
    text = parse.parse("upstream web {\n  keepalive 9; }\n\nlocation / {\n  proxy_pass http://web; }", "/n.conf")

    findings = lint.advise(passes(text, SERVED, named=True), OLD, SERVED)

    assert [one.what for one in findings] == [
        "/n.conf:1: upstream web: keepalive has no short bounds",
        "/n.conf:5: location /: proxy_pass to web: WebSockets cannot pass",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "set $up web; location / { proxy_pass http://$up; }",
        "set $up web; set $to http://$up:80; location / { proxy_pass $to; }",
        "map $host $up { default web; a b; } location / { proxy_pass http://${up}/x; }",
        "stream { upstream web { server 10.0.0.1:1; } server { proxy_pass web; } }",
    ],
)
def test_a_service_is_found_through_variables_and_in_stream(text: str) -> None:
    assert {one.service for one in passes(parse.parse(text), ["web"], named=True)} == {"web"}


def test_a_variable_without_a_known_value_leads_nowhere() -> None:
    text = "set $a $b; set $b $a; location / { proxy_pass http://$a; proxy_pass http://$host; }"

    assert passes(parse.parse(text), ["web"], named=True) == []


def test_streams_are_not_told_of_what_only_http_has() -> None:
    text = parse.parse("stream { upstream web { server 10.0.0.1:1; } server { proxy_pass web; } }")

    assert lint.advise(passes(text, SERVED, named=True), OLD, SERVED) == []


def test_worker_connections_count_where_nginx_has_them() -> None:
    text = parse.parse("events { worker_connections 100; } http { map $a $b { worker_connections 1; } }")

    assert [one.what for one in lint.judge(text, OLD, SERVED, [])] == ["worker_connections is 100"]


@pytest.mark.parametrize(
    ("lines", "fix"),
    [
        ("", ["{zdd.mark} inside http { }"]),
        ("add_header A b;", [MARK.header()]),
        (MARK.header(), []),
        ("add_header_inherit merge; add_header A b;", []),
    ],
)
def test_a_place_that_does_not_show_the_mark_is_told_with_the_line_to_write(lines: str, fix: list[str]) -> None:
    text = parse.parse(f"http {{ server {{ {lines} location / {{ proxy_pass http://{mark('web')}; }} }} }}")

    assert [finding.fix for finding in lint.hidden(passes(text, ["web"], named=False), MARK)] == fix
