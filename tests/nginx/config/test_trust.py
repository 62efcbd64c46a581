"""Whose word counts about a client. Here 127.0.0.2 is the proxy that is trusted, and 127.0.0.3 a visitor."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.nginx.config import trust
from zdd.nginx.config.trust import Trust

from ..app import PATIENCE, App
from ..house import House

PROXY, VISITOR = "127.0.0.2", "127.0.0.3"
TRUSTED = Trust([PROXY, "198.51.100.0/24", "2001:db8:1::/48"])
NOBODY = Trust([])
EVERYBODY = Trust(None)
ABOUT = ("x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")


def ask(house: House, headers: Mapping[str, str], source: str, first: bytes = b"", path: str = "/") -> str:
    """Send one request from this address, after these first bytes; returns the answer."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    lines += [] if "Host" in headers else ["Host: shop.example"]
    with socket.create_connection(("127.0.0.1", house.port), PATIENCE, (source, 0)) as client:
        client.sendall(first + "\r\n".join([*lines, "", ""]).encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def told(house: House, app: App, headers: Mapping[str, str], source: str, first: bytes = b"") -> list[str]:
    """What the app is told of the client: its address, the way, the protocol and the host."""
    assert " 200 " in ask(house, headers, source, first).splitlines()[0]
    got = app.requests[-1].headers
    return [got[name] for name in ABOUT]


@pytest.fixture
def app(house: House) -> App:
    return house.app("a")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, [PROXY, PROXY, "http", "shop.example"]),
        ({"X-Forwarded-For": "203.0.113.9"}, ["203.0.113.9", f"203.0.113.9, {PROXY}", "http", "shop.example"]),
        (
            {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"},
            ["203.0.113.9", f"203.0.113.9, 198.51.100.7, {PROXY}", "http", "shop.example"],
        ),
        (  # the visitor himself has sent the first one
            {"X-Forwarded-For": "6.6.6.6, 203.0.113.9,198.51.100.7"},
            ["203.0.113.9", f"203.0.113.9,198.51.100.7, {PROXY}", "http", "shop.example"],
        ),
        (
            {"X-Forwarded-For": "6.6.6.6, 203.0.113.9:4711"},
            ["203.0.113.9", f"203.0.113.9:4711, {PROXY}", "http", "shop.example"],
        ),
        (
            {"X-Forwarded-For": "6.6.6.6, [2001:DB8:2::1]:4711, 2001:db8:1::7"},
            ["2001:db8:2::1", f"2001:db8:2::1, {PROXY}", "http", "shop.example"],
        ),
        (
            {"X-Forwarded-For": "6.6.6.6, 2001:db8:2::1"},
            ["2001:db8:2::1", f"2001:db8:2::1, {PROXY}", "http", "shop.example"],
        ),
        (
            {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, ::ffff:198.51.100.7"},
            ["203.0.113.9", f"203.0.113.9, ::ffff:198.51.100.7, {PROXY}", "http", "shop.example"],
        ),
        ({"X-Forwarded-For": "unknown"}, [PROXY, PROXY, "http", "shop.example"]),
        ({"X-Real-IP": "203.0.113.9"}, ["203.0.113.9", f"203.0.113.9, {PROXY}", "http", "shop.example"]),
        ({"X-Real-IP": "<script>"}, [PROXY, PROXY, "http", "shop.example"]),
        (
            {"X-Real-IP": "6.6.6.6", "X-Forwarded-For": "203.0.113.9"},
            ["203.0.113.9", f"203.0.113.9, {PROXY}", "http", "shop.example"],
        ),
        ({"X-Forwarded-Proto": "https"}, [PROXY, PROXY, "https", "shop.example"]),
        ({"X-Forwarded-Proto": "HTTPS"}, [PROXY, PROXY, "https", "shop.example"]),
        ({"X-Forwarded-Proto": "https,http"}, [PROXY, PROXY, "https", "shop.example"]),
        ({"X-Forwarded-Proto": "https, http, http"}, [PROXY, PROXY, "https", "shop.example"]),
        ({"X-Forwarded-Proto": "http,https"}, [PROXY, PROXY, "http", "shop.example"]),
        ({"X-Forwarded-Proto": "wss"}, [PROXY, PROXY, "https", "shop.example"]),
        ({"X-Forwarded-Proto": "httpsx"}, [PROXY, PROXY, "http", "shop.example"]),
        ({"X-Forwarded-Proto": "gopher"}, [PROXY, PROXY, "http", "shop.example"]),
        ({"X-Forwarded-Host": "www.example:8443"}, [PROXY, PROXY, "http", "www.example:8443"]),
        ({"X-Forwarded-Host": "www.example, inner.example"}, [PROXY, PROXY, "http", "www.example"]),
    ],
)
def test_a_proxy_is_believed(house: House, app: App, headers: dict[str, str], expected: list[str]) -> None:
    house.serve(app, trust=TRUSTED)

    assert told(house, app, headers, PROXY) == expected


SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Real-IP": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-User": "root",
    "X-Forwarded-Email": "root@evil.example",
    "X-Forwarded-Groups": "wheel",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-By": "6.6.6.6",
    "X-Forwarded": "for=6.6.6.6",
    "X-Forwarded-Uri": "/admin",
    "X-Forwarded-Preferred-Username": "root",
    "X-Forwarded-Client-Cert": "Subject=root",
    "X-Forwarded-Tls-Client-Cert": "MII",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
    "X-Client-IP": "6.6.6.6",
    "Client-IP": "6.6.6.6",
    "X-Cluster-Client-IP": "6.6.6.6",
    "CF-Connecting-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "Front-End-Https": "on",
    "X-Url-Scheme": "https",
    "X-Scheme": "https",
    "X-Script-Name": "/evil",
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "X-Sendfile-Type": "X-Accel-Redirect",
    "X-Accel-Mapping": "/srv=/internal",
    "CF-Visitor": '{"scheme":"https"}',
    "Proxy": "http://evil.example",
}


def spelled(name: str) -> set[str]:
    """The name with every choice of "-" and "_"."""
    first, *rest = re.split("-", name)
    spellings = {first}
    for word in rest:
        spellings = {f"{begin}{mark}{word}" for begin in spellings for mark in "-_"}
    return spellings


@pytest.mark.parametrize("whom", [TRUSTED, NOBODY], ids=["proxies", "none"])
def test_a_visitor_is_neither_believed_nor_passed_on(house: House, app: App, whom: Trust) -> None:
    house.serve(app, trust=whom)
    expected = {"x-real-ip": VISITOR, "x-forwarded-for": VISITOR, "x-forwarded-proto": "http"}
    expected |= {"x-forwarded-host": "shop.example", "host": "shop.example"}

    for name, value in SPOOFED.items():
        for each in spelled(name):
            ask(house, {each: value}, VISITOR)
            got = dict(app.requests[-1].headers)
            assert re.fullmatch("[0-9a-f]{32}", got.pop("x-request-id"))
            assert got == expected, each


def test_a_proxy_says_nothing_in_names_that_cgi_takes_for_others(house: House, app: App) -> None:
    """It may pass on what a visitor has sent: one that sets X-Forwarded-For need not know X_Forwarded_For."""
    house.serve(app, trust=TRUSTED)

    for name in SPOOFED:
        for each in spelled(name) - {name}:
            ask(house, {"X-Forwarded-For": "203.0.113.9", each: "6.6.6.6"}, PROXY)
            assert each.lower() not in app.requests[-1].headers


def test_what_more_a_proxy_says_is_passed_on(house: House, app: App) -> None:
    house.serve(app, trust=TRUSTED)
    more = {"X-Forwarded-Prefix": "/shop", "X-Forwarded-User": "kim", "CF-Connecting-IP": "203.0.113.9"}

    ask(house, more, PROXY)

    got = app.requests[-1].headers
    assert {name: got[name.lower()] for name in more} == more


def test_everybody_is_believed_as_before_where_the_text_says_so(house: House, app: App) -> None:
    rendered = house.serve(app, trust=EVERYBODY)
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https,http", "X-Forwarded-Ssl": "on"}

    assert told(house, app, headers, VISITOR) == [VISITOR, f"6.6.6.6, {VISITOR}", "https", "shop.example"]
    assert app.requests[-1].headers["x-forwarded-ssl"] == "on"
    assert trust.believes_everybody(rendered)


def test_private_networks_are_this_machine_and_what_the_internet_does_not_route(house: House, app: App) -> None:
    rendered = house.serve(app)

    assert told(house, app, {"X-Forwarded-For": "203.0.113.9, 10.1.2.3"}, VISITOR)[0] == "203.0.113.9"
    assert not trust.believes_everybody(rendered)


LINES = {
    "v1": b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n",
    "v1, IPv6": b"PROXY TCP6 2001:db8:2::1 2001:db8::2 4711 80\r\n",
    "v2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + b"\x12\x67\0\x50",
}


@pytest.mark.parametrize("line", LINES, ids=LINES)
def test_the_line_of_the_proxy_protocol_says_who_the_client_is(house: House, app: App, line: str) -> None:
    client = "2001:db8:2::1" if "6" in line else "203.0.113.9"
    house.serve(app, trust=Trust([PROXY], proxy_protocol=True, lines=[PROXY]))

    found = told(house, app, {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}, PROXY, LINES[line])

    assert found == [client, client, "http", "shop.example"]


def test_the_line_of_a_stranger_says_nothing(house: House, app: App) -> None:
    house.serve(app, trust=Trust([PROXY], proxy_protocol=True, lines=[PROXY]))

    assert told(house, app, {}, VISITOR, LINES["v1"])[:2] == [VISITOR, VISITOR]


@pytest.mark.parametrize("line", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"], ids=["v1", "v2"])
def test_behind_a_line_that_names_nobody_no_word_is_believed(house: House, app: App, line: bytes) -> None:
    """Who passes TCP on knows nothing of HTTP: the words are a visitor's."""
    house.serve(app, trust=Trust([PROXY], proxy_protocol=True, lines=[PROXY]))
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "https"}

    assert told(house, app, headers, PROXY, line) == [PROXY, PROXY, "http", "shop.example"]


def test_behind_a_line_a_proxy_that_it_names_is_believed(house: House, app: App) -> None:
    house.serve(app, trust=Trust([PROXY, "203.0.113.9"], proxy_protocol=True, lines=[PROXY]))
    headers = {"X-Forwarded-For": "192.0.2.5", "X-Forwarded-Proto": "https"}

    client, chain, scheme, _ = told(house, app, headers, PROXY, LINES["v1"])

    assert (client, chain, scheme) == ("192.0.2.5", "192.0.2.5, 203.0.113.9", "https")
    words = {"6.6.6.6, [2001:db8::5]:80": "2001:db8::5", "2001:db8::5": "2001:db8::5", "192.0.2.5:80": "192.0.2.5"}
    clients = {word: told(house, app, {"X-Forwarded-For": word}, PROXY, LINES["v1"])[0] for word in words}
    assert clients == words


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ["203.0.113.9", "203.0.113.9"]),
        ({"X-Real-IP": "192.0.2.5"}, ["192.0.2.5", "192.0.2.5, 203.0.113.9"]),
        ({"X-Real-IP": "<script>"}, ["203.0.113.9", "203.0.113.9"]),
        ({"X-Forwarded-For": "unknown"}, ["203.0.113.9", "203.0.113.9"]),
        ({"X-Forwarded-For": "6.6.6.6, 192.0.2.5"}, ["192.0.2.5", "192.0.2.5, 203.0.113.9"]),
        (
            {"X-Forwarded-For": "6.6.6.6, 192.0.2.5:81, 10.0.0.7"},
            ["192.0.2.5", "192.0.2.5:81, 10.0.0.7, 203.0.113.9"],
        ),
        (
            {"X-Forwarded-For": "6.6.6.6,[2001:db8::5]:81,fd00::7,10.0.0.7"},
            ["2001:db8::5", "[2001:db8::5]:81,fd00::7,10.0.0.7, 203.0.113.9"],
        ),
        ({"X-Forwarded-For": "192.0.2.5,::ffff:10.0.0.7"}, ["192.0.2.5", "192.0.2.5,::ffff:10.0.0.7, 203.0.113.9"]),
        ({"X-Forwarded-For": "unknown, 10.0.0.7"}, ["10.0.0.7", "10.0.0.7, 203.0.113.9"]),
        (  # one more than is believed
            {"X-Forwarded-For": "192.0.2.5, 10.0.0.9, 10.0.0.8, 10.0.0.7"},
            ["10.0.0.9", "10.0.0.9, 10.0.0.8, 10.0.0.7, 203.0.113.9"],
        ),
    ],
)
def test_behind_a_line_proxies_in_a_row_are_believed_and_no_word_of_a_visitors(
    house: House, app: App, headers: dict[str, str], expected: list[str]
) -> None:
    house.serve(app, trust=Trust([PROXY, "203.0.113.9", "private"], proxy_protocol=True, lines=[PROXY]))

    assert told(house, app, headers, PROXY, LINES["v1"])[:2] == expected


def test_who_says_it_unasked_stands_in_the_log_once_for_each_connection(house: House, app: App) -> None:
    """So visitors cannot fill the disk."""
    house.serve(app, trust=Trust([PROXY], asks=True))
    ask(house, {"X-Forwarded-Proto": "https"}, PROXY)
    ask(house, {}, "127.0.0.4")

    with socket.create_connection(("127.0.0.1", house.port), PATIENCE, (VISITOR, 0)) as client:
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n")
            assert b" 200 " in client.recv(65536)

    eventually(lambda: VISITOR in Path(house.error_log).read_text())
    said = [line for line in Path(house.error_log).read_text().splitlines() if "X-Forwarded-Proto" in line]
    assert [line.partition("Z ")[0].partition(" X-")[2] for line in said] == [
        f"Forwarded-Proto from {VISITOR} at 127.0.0.1: trusted_proxies does not say whether to believe it"
    ]
