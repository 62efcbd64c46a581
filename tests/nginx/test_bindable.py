"""Which addresses a running nginx can change to: Linux lets it bind none that overlaps another one of the same port."""

from __future__ import annotations

import pytest

from zdd.errors import UsageError
from zdd.nginx import ports
from zdd.nginx.config import listen, parse


@pytest.mark.parametrize(
    ("bound", "new"),
    [
        ("listen 80;", "80"),
        ("listen 80;", "*:80"),
        ("listen 80;", "0.0.0.0:80"),
        ("listen 80;", "[::]:80"),
        ("listen 80;", "127.0.0.1:81"),
        ("listen [::]:80;", "127.0.0.1:80"),
        ("listen 127.0.0.1:80;", "127.0.0.2:80"),
        ("listen 80; listen [::]:80;", "80"),
        ("listen unix:/run/x;", "80"),
        ("listen 80; listen 127.0.0.1:80;", "80"),
        ("", "80"),
    ],
)
def test_what_does_not_overlap_is_changed(bound: str, new: str) -> None:
    ports.require_bindable([new], listen.sockets(parse.parse(bound)))


@pytest.mark.parametrize(
    ("bound", "new", "words"),
    [
        ("listen 80;", "127.0.0.1:80", "port 80 of every address and cannot change to 127.0.0.1"),
        ("listen 127.0.0.1:80;", "80", "port 80 of 127.0.0.1 and cannot change to every address"),
        ("listen [::]:80;", "[::1]:80", "port 80 of every address and cannot change to ::1"),
        ("listen 81; listen 80;", "localhost:80", "cannot change to localhost"),
        ("listen 80; listen 127.0.0.1:80;", "127.0.0.1:80", "cannot change to 127.0.0.1"),
    ],
)
def test_what_overlaps_is_refused(bound: str, new: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        ports.require_bindable([new], listen.sockets(parse.parse(bound)))

    assert "`zddeploy down`, then `zddeploy`" in str(refused.value.hint)


def test_an_address_beside_every_address_of_its_port_is_not_bound() -> None:
    ports.require_bindable(["80", "127.0.0.1:80"], listen.sockets(parse.parse("listen 80;")))
