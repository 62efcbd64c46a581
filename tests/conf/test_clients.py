"""The keys of [nginx] about clients and the proxies before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf.nginx_section import NginxSection
from zdd.conf.read import load

from .test_refusals import refusal

PROXIES = "it must be private, none, or networks such as 10.0.0.0/8"
OWN = "has no effect with include; set it in that server block"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def nginx(folder: Path, lines: str, name: str = "deploy.toml") -> NginxSection:
    service = '[service.web]\nrun = "app"\n' if name.endswith("toml") else "[service:web]\nrun = app\n"
    (folder / name).write_text(f"[nginx]\n{lines}\n{service}")
    return load(folder / name).nginx


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"private"', ["private"]),
        ('"none"', []),
        ('"198.51.100.7"', ["198.51.100.7"]),
        ('["private", "198.51.100.0/24", "2001:DB8::/32", "private"]', ["private", "198.51.100.0/24", "2001:db8::/32"]),
        ('["0.0.0.0/0", "::/0"]', ["0.0.0.0/0", "::/0"]),
    ],
)
def test_proxies_are_private_none_or_networks(folder: Path, written: str, meant: list[str]) -> None:
    assert nginx(folder, f"trusted_proxies = {written}").trusted_proxies == meant


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        ("[]", "[]", ""),
        ('""', '""', ""),
        ('"lb.internal"', '"lb.internal"', ""),
        ("true", "true", ""),
        ("10", "10", ""),
        ('["none", "10.0.0.1"]', '"none"', ""),
        ('"10.0.0"', '"10.0.0"', "; that is no address"),
        ('"10.0.0.1/8"', '"10.0.0.1/8"', '; only its first 8 bits count: write "10.0.0.0/8"'),
        ('"10.0.0.0/33"', '"10.0.0.0/33"', '; such an address has 32 bits: write "10.0.0.0/32"'),
        ('"::ffff:10.0.0.0/104"', '"::ffff:10.0.0.0/104"', '; that is IPv4: write "10.0.0.0/8"'),
        ('"::ffff:10.0.0.1"', '"::ffff:10.0.0.1"', '; that is IPv4: write "10.0.0.1"'),
        ('"2001:db8::1/32"', '"2001:db8::1/32"', '; only its first 32 bits count: write "2001:db8::/32"'),
        ('"10.0.0.1, 10.0.0.2"', '"10.0.0.1, 10.0.0.2"', ""),
    ],
)
def test_other_proxies_are_refused(folder: Path, written: str, shown: str, why: str) -> None:
    text = f'[nginx]\ntrusted_proxies = {written}\n[service.web]\nrun = "app"\n'

    assert refusal(folder, "deploy.toml", text) == f"[nginx] trusted_proxies = {shown} is not allowed; {PROXIES}{why}"


def test_in_ini_each_network_is_a_line_and_a_switch_a_word(folder: Path) -> None:
    lines = "trusted_proxies =\n    private\n    198.51.100.7\nproxy_protocol = true\ngzip = False"

    section = nginx(folder, lines, "deploy.conf")

    assert (section.trusted_proxies, section.proxy_protocol, section.gzip) == (["private", "198.51.100.7"], True, False)


@pytest.mark.parametrize("value", ['"yes"', "1", "[]", '"true"'])
def test_a_switch_is_true_or_false(folder: Path, value: str) -> None:
    text = f'[nginx]\nproxy_protocol = {value}\n[service.web]\nrun = "app"\n'

    assert refusal(folder, "deploy.toml", text).endswith("is not allowed; it must be true or false")


def test_a_line_that_nobody_believes_is_refused(folder: Path) -> None:
    text = '[nginx]\nproxy_protocol = true\ntrusted_proxies = "none"\n[service.web]\nrun = "app"\n'
    both = '[nginx] proxy_protocol = true and trusted_proxies = "none" exclude each other'

    assert refusal(folder, "deploy.toml", text) == f"{both}: nobody's line would be believed"


@pytest.mark.parametrize("key", ['trusted_proxies = "private"', "proxy_protocol = true", "gzip = false"])
def test_they_are_for_zdds_own_text(folder: Path, key: str) -> None:
    text = f'[nginx]\ninclude = "up.conf"\nreload = "true"\n{key}\n[service.web]\nrun = "app"\n'

    assert refusal(folder, "deploy.toml", text) == f"[nginx] {key.split()[0]} {OWN}"


def test_lines_of_the_users_are_read_with_the_configuration(folder: Path) -> None:
    (folder / "more.nginx").write_bytes(b"\xef\xbb\xbfgzip off;\r\n")

    section = nginx(folder, 'server_include = "more.nginx"')

    assert (section.server_include, section.server_lines) == (folder / "more.nginx", "gzip off;\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read server_include FOLDER/more.nginx: No such file or directory"),
        (b"a \xff", "server_include FOLDER/more.nginx is not UTF-8: byte 2 is 0xff"),
        (b"a\0b", "server_include FOLDER/more.nginx is no text: it has a zero byte"),
        (bytes(300_000), "cannot read server_include FOLDER/more.nginx: it has more than 256 KiB"),
    ],
)
def test_lines_that_cannot_be_read_are_refused(folder: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (folder / "more.nginx").write_bytes(content)
    text = '[nginx]\nserver_include = "more.nginx"\n[service.web]\nrun = "app"\n'

    assert refusal(folder, "deploy.toml", text) == f"[nginx] {words}"


def test_an_address_of_ipv6_has_one_spelling(folder: Path) -> None:
    assert nginx(folder, 'listen = ["[0:0::0]:80", "[2001:DB8::1]:80"]').listen == ["[::]:80", "[2001:db8::1]:80"]
    text = '[nginx]\nlisten = ["[::]:80", "[::0]:80"]\n[service.web]\nrun = "app"\n'

    assert 'listen = "[::]:80" repeats [::]:80; leave it out' in refusal(folder, "deploy.toml", text)
