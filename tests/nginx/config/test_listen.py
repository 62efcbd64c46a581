"""Where nginx listens, by its text."""

from __future__ import annotations

import pytest

from zdd.nginx.config import listen

TEXT = """
http {
    # listen 1;
    server { listen 443 ssl; listen unix:/run/x.sock; }
    server { listen "[::]:8080" default_server; } server { listen localhost; }
}
"""


def test_every_listen_counts_wherever_it_stands_but_not_in_comments() -> None:
    assert listen.ports(TEXT) == {443, 8080, 80}


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("80", ("127.0.0.1", 80)),
        ("*:80", ("127.0.0.1", 80)),
        ("0.0.0.0:80", ("127.0.0.1", 80)),
        ("[::]:80", ("::1", 80)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("localhost", ("localhost", 80)),
        ("10.0.0.1", ("10.0.0.1", 80)),
        ("*", ("127.0.0.1", 80)),
        ("8000-8009", ("127.0.0.1", 8000)),
        ("[::1]", ("::1", 80)),
        ("", None),
        ("x:y", None),
        ("unix:/run/x.sock", None),
    ],
)
def test_an_address_is_where_a_client_on_this_machine_connects(said: str, address: listen.Address | None) -> None:
    assert listen.address([said]) == address


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["80"], ["80", "[::]:80"]),
        (["080", "443"], ["080", "[::]:80", "443", "[::]:443"]),
        (["127.0.0.1:80", "81"], ["127.0.0.1:80", "81", "[::]:81"]),
        (["*:80"], ["*:80"]),
        (["0.0.0.0:80"], ["0.0.0.0:80"]),
        (["[::]:80"], ["[::]:80"]),
        (["80", "[::]:80"], ["80", "[::]:80"]),
        (["[fd00::1]:80", "80"], ["[fd00::1]:80", "80"]),
        (["[fd00::1]:81", "80"], ["[fd00::1]:81", "80", "[::]:80"]),
    ],
)
def test_a_bare_port_is_every_address_of_ipv6_too_where_the_list_names_none(said: list[str], found: list[str]) -> None:
    assert listen.everywhere(said, has_ipv6=True) == found
    assert listen.everywhere(said, has_ipv6=False) == said
