"""zdd's own text with HTTPS, as clients of a real nginx see it."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.certificates import Authority
from tests.machine import free_port
from tests.secure import connected, context, get, plain
from zdd.nginx.config import render, tls
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.tls import Certificate, Tls
from zdd.nginx.config.trust import Trust

from ..app import say
from ..house import House

AUTHORITY = Authority()
MARK = Mark("abc", "s" * 32, "w" * 32)
HOSTS = ["shop.test", "www.shop.test"]


class Shop:
    """A house that speaks HTTPS: two names of one service, and an admin with a certificate of its own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.port = free_port()
        self.web, self.admin = house.app("web"), house.app("admin")
        folder = Path(house.folder)
        issued = {"shop": HOSTS, "admin": ["admin.test"]}
        self.certificates = []
        for name, names in issued.items():
            pair = AUTHORITY.issue(folder, *names, name=name)
            self.certificates.append(Certificate(names, str(pair.certificate), str(pair.key)))

    def serve(self, *certificates: Certificate, listen: list[str] | None = None, **changes: Any) -> None:
        options = {name: changes.pop(name) for name in ("redirect", "hsts", "has_hybrid") if name in changes}
        own = Tls(listen or [f"127.0.0.1:{self.port}"], certificates or self.certificates, **options)
        given: dict[str, Any] = {
            "routes": [Route("web", HOSTS), Route("admin", ["admin.test"])],
            "upstreams": {"web": [self.web.target], "admin": [self.admin.target]},
            "tls": own,
            "trust": Trust([]),
        }
        self.house.serve(**(given | changes))

    def placeholder(self, *names: str) -> Certificate:
        pair = Authority("nobody").issue(Path(self.house.folder), "placeholder", name="placeholder")
        return Certificate(names, str(pair.certificate), str(pair.key), is_placeholder=True)


@pytest.fixture
def shop(house: House) -> Shop:
    return Shop(house)


def test_each_host_shows_its_own_certificate(shop: Shop) -> None:
    shop.serve()

    assert get(shop.port, "shop.test", authority=AUTHORITY.pem)[2:4] == ("web", ("shop.test", "www.shop.test"))
    assert get(shop.port, "admin.test", authority=AUTHORITY.pem)[2:4] == ("admin", ("admin.test",))


@pytest.mark.parametrize(
    ("has_hybrid", "groups"),
    [(False, "X25519:prime256v1:secp384r1"), (True, "?X25519MLKEM768:X25519:prime256v1:secp384r1")],
)
def test_the_group_against_quantum_computers_comes_first_where_openssl_has_it(has_hybrid: bool, groups: str) -> None:
    lines = tls.http_lines(Tls(["443"], [], has_hybrid=has_hybrid), (1, 26, 3))

    assert re.findall(r"(?m)^ssl_ecdh_curve (.*);$", lines) == [groups]


def test_a_text_for_this_nginx_has_the_group_if_its_openssl_does(shop: Shop) -> None:
    """An OpenSSL that does not know the group refuses the whole line, and nginx would not start."""
    has_hybrid = shop.house.binary.has_hybrid
    shop.serve(has_hybrid=has_hybrid)

    with connected(shop.port, "shop.test") as connection:
        assert connection.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["other.test", "localhost"])
def test_an_unknown_name_is_refused_in_the_handshake(shop: Shop, name: str) -> None:
    shop.serve()

    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name|tlsv1 unrecognized"):
        get(shop.port, name)


def test_who_asks_for_an_address_is_shown_the_certificate_of_the_service_that_has_it(shop: Shop) -> None:
    """Clients say no name for an address: nginx has to show something before it knows the host."""
    own = AUTHORITY.issue(Path(shop.house.folder), "127.0.0.1", "shop.test", name="address")
    names = ["127.0.0.1", "shop.test"]
    shop.serve(Certificate(names, str(own.certificate), str(own.key)), routes=[Route("web", names)])

    assert get(shop.port, "127.0.0.1", authority=AUTHORITY.pem).body == "web"
    assert get(shop.port, "shop.test", authority=AUTHORITY.pem).body == "web"
    assert get(shop.port, "other.test").status == 421


def test_an_unknown_host_behind_a_known_name_gets_nothing(shop: Shop) -> None:
    shop.serve()

    assert get(shop.port, "other.test", name="shop.test").status == 421
    assert get(shop.port, "admin.test", name="shop.test").body == "admin"


@pytest.mark.parametrize("path", ["/", "/a/b?x=1&y=%20", "//twice", "/a%2Fb", "/.well-known/other"])
def test_plain_requests_are_redirected_with_path_and_query(shop: Shop, path: str) -> None:
    shop.serve(listen=[f"127.0.0.1:{shop.port}"])

    found = plain(shop.house.port, "www.shop.test", path)

    assert (found.status, found.headers["location"]) == (301, f"https://www.shop.test:{shop.port}{path}")
    assert plain(shop.house.port, "other.test").status == 404
    assert not shop.web.requests


def test_the_usual_port_stands_in_no_url() -> None:
    assert Tls(["443"], []).port == Tls(["127.0.0.1:8443", "[::]:443"], []).port == ""
    assert Tls(["127.0.0.1:8443"], []).port == ":8443"


def test_a_balancer_that_asks_by_an_address_is_not_redirected(shop: Shop) -> None:
    anyone = Certificate([], shop.certificates[0].certificate, shop.certificates[0].key)
    shop.serve(anyone, routes=[Route("web")])

    assert plain(shop.house.port, "127.0.0.1", "/").status == 301
    assert plain(shop.house.port, "127.0.0.1", "/zdd-health").status == 200


def test_whom_a_trusted_proxy_has_served_by_https_is_not_redirected_for_ever(shop: Shop) -> None:
    shop.serve(trust=Trust(["127.0.0.1"]), acme_folder="/tmp/none")

    by_https = plain(shop.house.port, "shop.test", "/a", "X-Forwarded-Proto: https\r\n")
    by_http = plain(shop.house.port, "shop.test", "/a?b", "X-Forwarded-Proto: http\r\n")

    assert (by_https.status, by_https.body) == (200, "web")
    assert (by_http.status, by_http.headers["location"]) == (301, f"https://shop.test:{shop.port}/a?b")
    assert plain(shop.house.port, "shop.test", "/.well-known/acme-challenge/x").status == 404  # of the folder


def test_whom_a_trusted_proxy_has_served_by_another_name_is_led_to_the_canonical_one(shop: Shop) -> None:
    shop.serve(trust=Trust(["127.0.0.1"]), canonical_host="shop.test")
    by_https = "X-Forwarded-Proto: https\r\n"

    for headers in (by_https, ""):
        found = plain(shop.house.port, "www.shop.test", "/a?b", headers)
        assert (found.status, found.headers["location"]) == (301, f"https://shop.test:{shop.port}/a?b")
    assert plain(shop.house.port, "shop.test", "/a", by_https).body == "web"
    assert plain(shop.house.port, "shop.test", "/a").status == 301


def test_without_redirects_both_serve(shop: Shop) -> None:
    shop.serve(redirect=False)

    assert plain(shop.house.port, "shop.test").body == get(shop.port, "shop.test").body == "web"


def test_apps_learn_how_the_visitor_came(shop: Shop) -> None:
    shop.serve(redirect=False)

    get(shop.port, "shop.test", headers="X-Forwarded-Proto: http\r\n")
    plain(shop.house.port, "shop.test")

    assert [request.headers["x-forwarded-proto"] for request in shop.web.requests] == ["https", "http"]


def test_a_host_with_a_placeholder_is_served_plainly_too(shop: Shop) -> None:
    shop.serve(shop.certificates[0], shop.placeholder("admin.test"), hsts=86400)

    assert plain(shop.house.port, "admin.test").body == "admin"
    assert plain(shop.house.port, "shop.test").status == 301
    assert "strict-transport-security" not in get(shop.port, "admin.test").headers
    assert get(shop.port, "shop.test").headers["strict-transport-security"] == "max-age=86400"
    with pytest.raises(ssl.SSLCertVerificationError):
        get(shop.port, "admin.test", authority=AUTHORITY.pem)


def test_hsts_stands_in_every_answer_and_only_once(shop: Shop) -> None:
    page = Path(shop.house.folder, "maintenance")
    shop.web.behaviour = say("no", "500 Internal Server Error")
    shop.serve(hsts=31536000, maintenance_file=str(page), canonical_host="shop.test")

    headers = [
        get(shop.port, "shop.test").headers,  # an error of the app's
        get(shop.port, "www.shop.test").headers,  # a redirect
    ]
    page.write_text("closed")
    headers.append(get(shop.port, "shop.test").headers)

    assert [one["strict-transport-security"] for one in headers] == ["max-age=31536000"] * 3
    assert "strict-transport-security" not in plain(shop.house.port, "shop.test").headers


def test_what_an_app_says_of_hsts_itself_counts(shop: Shop) -> None:
    own = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nStrict-Transport-Security: max-age=5; includeSubDomains\r\n\r\n"

    def answer(connection: Any, _: object) -> bool:
        connection.sendall(own.encode())
        return True

    shop.web.behaviour = answer
    shop.serve(hsts=31536000)
    with connected(shop.port, "shop.test") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    assert re.findall("strict-transport-security: (.*)\r", text, re.IGNORECASE) == ["max-age=5; includeSubDomains"]


def test_other_names_of_a_service_lead_to_the_canonical_one_in_one_step(shop: Shop) -> None:
    shop.serve(canonical_host="shop.test")
    there = f"https://shop.test:{shop.port}/a?b"

    assert get(shop.port, "www.shop.test", "/a?b").headers["location"] == there
    assert plain(shop.house.port, "www.shop.test", "/a?b").headers["location"] == there
    assert plain(shop.house.port, "shop.test", "/a?b").headers["location"] == there
    assert get(shop.port, "shop.test").body == "web"
    assert get(shop.port, "admin.test").body == "admin"  # another service's


def test_nothing_leads_to_a_canonical_host_that_has_a_placeholder(shop: Shop) -> None:
    admin = shop.certificates[1]
    own = replace(shop.certificates[0], names=["www.shop.test"])
    shop.serve(own, admin, shop.placeholder("shop.test"), canonical_host="shop.test")

    assert plain(shop.house.port, "www.shop.test").body == get(shop.port, "www.shop.test").body == "web"


def test_without_tls_a_canonical_host_keeps_the_scheme(house: House) -> None:
    house.serve(house.app("web"), routes=[Route("web", HOSTS)], canonical_host="shop.test")

    assert plain(house.port, "www.shop.test", "/a?b").headers["location"] == "http://shop.test/a?b"
    assert plain(house.port, "shop.test").body == "web"


@pytest.mark.parametrize("names", [[], HOSTS])
def test_challenges_are_answered_whatever_else_is(shop: Shop, names: list[str]) -> None:
    challenges = Path(shop.house.folder, "acme/.well-known/acme-challenge")
    challenges.mkdir(parents=True)
    (challenges / "to-ken_1").write_text("proof")
    page = Path(shop.house.folder, "maintenance")
    certificates = [shop.placeholder(*HOSTS, "admin.test")] if not names else shop.certificates
    shop.serve(*certificates, acme_folder=str(challenges.parents[1]), maintenance_file=str(page))
    asked = [(host, "/.well-known/acme-challenge/to-ken_1") for host in ("shop.test", "admin.test", "new.test")]

    assert [plain(shop.house.port, *each).body for each in asked] == ["proof"] * 3
    page.write_text("closed")
    assert [plain(shop.house.port, *each).body for each in asked] == ["proof"] * 3
    assert plain(shop.house.port, "shop.test", "/.well-known/acme-challenge/../../x").body != "proof"
    assert get(shop.port, "shop.test").status == 503
    assert plain(shop.house.port, "shop.test").status == (301 if names else 503)


def test_one_certificate_may_be_for_every_host(shop: Shop) -> None:
    every = replace(shop.certificates[0], names=[])
    shop.serve(every, routes=[Route("web"), Route("admin", ["admin.test"])])

    assert get(shop.port, "shop.test", authority=AUTHORITY.pem).body == "web"
    assert get(shop.port, "any.test").body == "web"
    assert get(shop.port, "admin.test").body == "admin"
    assert plain(shop.house.port, "any.test").headers["location"] == f"https://any.test:{shop.port}/"


@pytest.mark.parametrize("path", ["/", "/zdd-nowhere"])
def test_every_answer_of_each_server_carries_the_mark(shop: Shop, path: str) -> None:
    page = Path(shop.house.folder, "maintenance")
    shop.serve(mark=MARK, hsts=86400, maintenance_file=str(page), canonical_host="shop.test")
    asking = f"X-Zdd-Gate: {MARK.secret}\r\n"

    for host in ("shop.test", "www.shop.test", "admin.test"):
        assert MARK.read([get(shop.port, host, path, headers=asking).headers["x-zdd-slot"]])
        assert "x-zdd-slot" not in get(shop.port, host, path).headers
    assert MARK.read([get(shop.port, "x.test", path, name="shop.test", headers=asking).headers["x-zdd-slot"]])
    page.write_text("closed")
    assert MARK.read([get(shop.port, "shop.test", path, headers=asking).headers["x-zdd-slot"]])


def test_http_2_is_offered(shop: Shop) -> None:
    shop.serve()

    with connected(shop.port, "shop.test", context(alpn=["h2", "http/1.1"])) as connection:
        assert connection.selected_alpn_protocol() == "h2"
    assert get(shop.port, "shop.test").protocol == "http/1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_protocols_are_refused(shop: Shop, version: ssl.TLSVersion) -> None:
    shop.serve()
    settings = context()
    settings.minimum_version = settings.maximum_version = version
    settings.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"), connected(shop.port, "shop.test", settings):
        pass


def test_nothing_newer_than_nginx_1_18_is_written_for_it() -> None:
    tls = Tls(["443"], [Certificate([], "/c", "/k")])
    setup = Setup("/p", "/e", "/t", ["80"], [Route("web", HOSTS)], {"web": ["unix:/s"]}, tls=tls)

    old, between, new = (render.render(setup, version) for version in ((1, 18, 0), (1, 22, 1), (1, 25, 1)))

    assert ["http2_max_requests" in text for text in (old, between, new)] == [True, False, False]
    assert "reject_handshake" not in old
    assert "return 444;" in old
    assert "ssl_reject_handshake on;" in between
    assert "listen 443 ssl http2;" in between
    assert "http2 on;" in new
    assert "ssl http2" not in new


def test_nginx_takes_it_without_a_warning(shop: Shop) -> None:
    shop.serve(hsts=86400, maintenance_file="/tmp/none", acme_folder="/tmp/none", canonical_host="shop.test")

    house = shop.house
    result = house.commands.run([house.binary.path, "-t", "-q", "-p", house.folder, "-c", house.conf_file])
    assert (result.status, re.findall(r"\[(warn|emerg)\].*", result.output)) == (0, [])


def test_the_same_certificates_in_another_order_give_the_same_text() -> None:
    def text(*hosts: str) -> str:
        certificates = [Certificate([host], f"/c/{host}", f"/k/{host}") for host in hosts]
        routes = [Route("web", list(hosts))]
        setup = Setup("/p", "/e", "/t", ["80"], routes, {"web": ["unix:/s"]}, tls=Tls(["443"], certificates))
        return render.render(setup, (1, 22, 1))

    assert text("a.test", "b.test", "c.test") == text("c.test", "a.test", "b.test")
