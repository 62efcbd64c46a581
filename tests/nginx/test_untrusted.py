"""What zdd says of those whom nobody has named, by what nginx has logged."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.pages import DOCS, Page
from zdd.nginx import untrusted
from zdd.nginx.config.trust import Trust, chosen

ASKS = chosen(None, proxy_protocol=False, ends_tls=False, everybody=False)
EVERYBODY = chosen(None, proxy_protocol=False, ends_tls=False, everybody=True)


def log(folder: Path, *peers: str) -> str:
    lines = [
        f"zdd: 2026-01-02T03:04:05+00:00 X-Forwarded-Proto from {peer} at 192.0.2.1: trusted_proxies does not say"
        for peer in peers
    ]
    path = folder / "nginx.log"
    path.write_text("".join(f"{line}\n2026/01/02 03:04:05 [error] 1#1: *1 x, client: 9.9.9.9\n" for line in lines))
    return str(path)


def said(trust: Trust, path: str) -> list[str]:
    return [finding.line for finding in untrusted.findings(trust, path)]


def test_nobody_is_told_of_as_long_as_nobody_has_said_it(tmp_path: Path) -> None:
    assert said(ASKS, str(tmp_path / "missing")) == []
    assert said(ASKS, log(tmp_path)) == []


def test_zdd_itself_is_nobody(tmp_path: Path) -> None:
    assert said(ASKS, log(tmp_path, "127.0.0.1", "::1", "192.0.2.1")) == []


def test_who_says_it_is_told_with_the_line_to_write(tmp_path: Path) -> None:
    (line,) = said(ASKS, log(tmp_path, "198.51.100.1", "2001:db8::1", "198.51.100.1", "10.0.0.1"))

    assert line == (
        "X-Forwarded-Proto came from 10.0.0.1, 198.51.100.1, 2001:db8::1, and is not believed; write in [nginx] "
        'trusted_proxies = ["private", "10.0.0.1", "198.51.100.1", "2001:db8::1"] with all addresses of that proxy, '
        'or "private" if it is none (see docs/guides/behind-a-proxy.md)'
    )


def test_of_many_only_some_are_told(tmp_path: Path) -> None:
    (line,) = said(ASKS, log(tmp_path, *(f"198.51.100.{number}" for number in range(9))))

    assert "198.51.100.8, 198.51.100.7, 198.51.100.6 and 6 more" in line


def test_a_project_of_before_is_told_in_any_case(tmp_path: Path) -> None:
    (never,) = said(EVERYBODY, log(tmp_path))
    (seen,) = said(EVERYBODY, log(tmp_path, "198.51.100.1"))

    assert "X-Forwarded-For and -Proto of every visitor are believed, as before 0.2" in never
    assert 'write in [nginx] trusted_proxies = "private"' in never
    assert "X-Forwarded-Proto came from 198.51.100.1" in seen
    assert 'trusted_proxies = ["private", "198.51.100.1"]' in seen


def test_once_somebody_has_said_it_nothing_is_told(tmp_path: Path) -> None:
    for proxies in (["private"], [], ["198.51.100.1"]):
        trust = chosen(proxies, proxy_protocol=False, ends_tls=False, everybody=True)
        assert said(trust, log(tmp_path, "198.51.100.9")) == []


@pytest.mark.parametrize(
    ("proxies", "told"),
    [
        (["0.0.0.0/0"], "every address of IPv4:"),
        (["private", "::/0"], "every address of IPv6:"),
        (["0.0.0.0/0", "::/0"], "every address of IPv4 and every address of IPv6:"),
        (["0.0.0.0/1", "128.0.0.0/1"], "every address of IPv4:"),
        (["128.0.0.0/1"], "50% of all addresses of IPv4:"),
        (["2000::/3"], "12% of all addresses of IPv6:"),
    ],
)
def test_a_list_that_has_visitors_in_it_is_told_with_what_it_opens(
    tmp_path: Path, proxies: list[str], told: str
) -> None:
    trust = chosen(proxies, proxy_protocol=False, ends_tls=True, everybody=False)
    (found,) = untrusted.findings(trust, str(tmp_path / "missing"))

    assert found.what.startswith(f"trusted_proxies has {told} visitors are believed")
    assert (found.level, "to be somebody else" in found.why, '"private"' in found.fix) == ("warning", True, True)


def test_the_networks_of_cloudflare_are_not_many(tmp_path: Path) -> None:
    page = Page(DOCS / "guides/behind-a-proxy.md")
    (lines,) = [block.text for block in page.blocks if "173.245.48.0/20" in block.text]
    known = tomllib.loads(lines)["nginx"]["trusted_proxies"]

    assert said(chosen([*known, "private"], False, False, False), str(tmp_path / "missing")) == []


def test_without_the_key_it_depends_on_who_ends_tls() -> None:
    assert chosen(None, proxy_protocol=False, ends_tls=False, everybody=False).proxies == ("private",)
    assert chosen(None, proxy_protocol=False, ends_tls=True, everybody=True).proxies == ()
    assert chosen(None, proxy_protocol=True, ends_tls=True, everybody=False).lines == ("private",)
