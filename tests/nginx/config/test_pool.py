"""For how long pooled connections may lead to the old version."""

from __future__ import annotations

import pytest

from zdd.nginx import addresses
from zdd.nginx.config import parse, pool, upstream
from zdd.nginx.config.version import Version

OLD, NEW = (1, 22, 1), (1, 29, 7)
CURRENT = "/run/zdd/shop/current"
OURS = addresses.beginnings(CURRENT)


@pytest.mark.parametrize(
    ("lines", "version", "seconds"),
    [
        ("", OLD, 0),
        ("keepalive 0;", NEW, 0),
        ("keepalive 64; keepalive_time 1s; keepalive_timeout 1s;", OLD, 2),
        ("keepalive 64; keepalive_time 60ms; keepalive_timeout 60ms;", NEW, 0.12),
        ("keepalive 64; keepalive_time 2; keepalive_timeout 3s;", NEW, 5),
        ("keepalive 64; keepalive_time 3s; keepalive_timeout 3s;", NEW, None),
        ("keepalive 64; keepalive_timeout 1s;", OLD, None),
        ("keepalive 64; keepalive_time 1h30m; keepalive_timeout 1s;", OLD, None),
        ("keepalive 64; keepalive_time 1x; keepalive_timeout 1s;", OLD, None),
        ("keepalive 64; keepalive_time $x; keepalive_timeout;", OLD, None),
        ("", NEW, None),
        ("keepalive_time 1s; keepalive_timeout 500ms;", NEW, 1.5),
    ],
)
def test_the_tail_is_how_long_a_pool_may_lead_to_the_old_version(
    lines: str, version: Version, seconds: float | None
) -> None:
    (upstream,) = parse.parse(f"upstream app {{ server 10.0.0.1:80; {lines} }}")

    assert pool.tail(upstream, version) == pytest.approx(seconds)
    assert pool.tail(None, version) == 0


@pytest.mark.parametrize(
    ("bounds", "seconds"),
    [(("60ms", "1s"), 2), (("1s", "60ms"), 2), (("1h", "60ms"), None), (("60ms",), 0.12), ((), 0)],
)
def test_the_longest_tail_of_the_upstreams_that_lead_to_slots_or_ports_counts(
    bounds: tuple[str, ...], seconds: float | None
) -> None:
    servers = [f"unix:{CURRENT}/web/00", "127.0.0.1:8000"]
    lines = "keepalive 9; keepalive_time {0}; keepalive_timeout {0};"
    groups = [f"upstream u{n} {{ server {servers[n]}; {lines.format(bound)} }}" for n, bound in enumerate(bounds)]
    foreign = "upstream other { server 10.0.0.1:80; keepalive 9; }"

    assert pool.longest("\n".join([*groups, foreign]), OLD, OURS) == pytest.approx(seconds)


def test_the_tail_of_zdds_own_lines_is_short() -> None:
    text = f"upstream web {{ {upstream.servers([f'unix:{CURRENT}/web/00'], NEW)} }}"

    assert pool.longest(text, NEW, OURS) == pytest.approx(0.12)
