"""What is advised where nginx does not pass on the answer of an instance that is healthy."""

from __future__ import annotations

import pytest

from zdd.nginx.unreachable import Unreachable

LOGGED = "2026/11/30 07:31:48 [error] 6317#6317: *3 {}, client: 127.0.0.1, server: _"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("upstream sent too big header while reading response header from upstream", "nginx's proxy_buffer_size"),
        ("upstream prematurely closed connection while reading response header", "its own log may say why"),
        ("upstream sent invalid header while reading response header", "none that nginx takes for HTTP"),
        ("connect() to unix:/run/slot failed (13: Permission denied)", "its worker user, its routes, its network"),
    ],
)
def test_what_nginx_logged_decides_on_the_hint(said: str, hint: str) -> None:
    assert hint in str(Unreachable("web: healthy, but nginx answers 502", [LOGGED.format(said)]).hint)


def test_where_nginx_has_logged_nothing_it_may_not_have_reached_the_app() -> None:
    assert "nginx must be able to reach the socket" in str(Unreachable("web: healthy, but nginx answers 502").hint)
