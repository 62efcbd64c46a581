"""What visitors lose where HTTPS is turned on or off."""

from __future__ import annotations

import pytest

from zdd.conf.nginx_section import NginxSection
from zdd.nginx.certificates import https_changes
from zdd.nginx.config import render
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.tls import Certificate, Tls

AUTO = NginxSection(https="auto", listen=["80"])
PLAIN = NginxSection()


def text(tls: Tls | None = None, listen: str = "127.0.0.1:8080") -> str:
    return render.render(Setup("/p", "/e", "/t", [listen], [Route("web")], {"web": ["unix:/s"]}, tls=tls), (1, 22, 1))


SECURE = text(Tls(["443"], [Certificate([], "/c", "/k")]), "80")


def said(nginx: NginxSection, text: str) -> list[str]:
    return [f"{finding.what}; {finding.fix}" for finding in https_changes.findings(nginx, text)]


def test_turned_on_it_redirects_whoever_a_proxy_has_served_and_leaves_the_former_port() -> None:
    redirected, gone = said(AUTO, text())

    assert "also those of a proxy that ends TLS before this nginx" in redirected
    assert "set trusted_proxies in [nginx]" in redirected
    assert "nginx no longer listens on port 8080" in gone
    assert 'listen = ["80", "127.0.0.1:8080"] in [nginx] keeps it' in gone


@pytest.mark.parametrize(
    ("nginx", "before"),
    [
        (AUTO, ""),
        (AUTO, SECURE),
        (PLAIN, text()),
        (PLAIN, SECURE),
        (NginxSection(https="auto", trusted_proxies=["private"], listen_is_set=True), text()),
        (NginxSection(https="auto", redirect_https=False, listen=["80"]), text(listen="80")),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(nginx: NginxSection, before: str) -> None:
    assert said(nginx, before) == []


def test_turned_off_it_locks_out_browsers_that_have_seen_hsts() -> None:
    (told,) = said(PLAIN, text(Tls(["443"], [Certificate([], "/c", "/k")], hsts=90000)))

    assert "browsers that have seen its hsts ask by HTTPS alone, for up to 2 days" in told
