"""Where zdd's own text listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf import read
from zdd.host import ipv6
from zdd.nginx.text import own_addresses
from zdd.paths import Paths

TLS = 'certificate = "c.pem"\ncertificate_key = "k.pem"'
NEW = "nginx will listen on port 80 of every IPv6 address of this machine, too"
OLD = "server {\n        listen 80 default_server;\n"


@pytest.fixture(autouse=True)
def has_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "is_there", lambda: True)


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys("")

    def keys(self, keys: str, service: str = 'run = "a"') -> None:
        (self.folder / "deploy.toml").write_text(
            f'[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\n{keys}\n[service.web]\n{service}\n'
        )
        self.config = read.load(self.folder / "deploy.toml")
        self.paths = Paths(self.config)

    def in_place(self, text: str) -> None:
        (self.folder / "S/nginx").mkdir(parents=True, exist_ok=True)
        (self.folder / "S/nginx/nginx.conf").write_text(text)

    def plain(self) -> list[str]:
        return own_addresses.plain(self.config, self.paths)

    def secure(self) -> list[str]:
        return own_addresses.secure(self.config, self.paths)

    def told(self) -> list[str]:
        return [finding.what for finding in own_addresses.notices(self.config, self.paths)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_defaults(shop: Shop) -> None:
    assert (shop.plain(), shop.secure(), shop.told()) == (["127.0.0.1:8080"], [], [])

    shop.keys(TLS)

    assert (shop.plain(), shop.secure()) == (["80", "[::]:80"], ["443", "[::]:443"])


def test_without_ipv6_a_bare_port_is_ipv4(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "is_there", lambda: False)
    shop.keys(f'{TLS}\nlisten = ["80", "81"]')

    assert (shop.plain(), shop.secure()) == (["80", "81"], ["443"])


def test_where_a_unit_hides_ipv6_the_text_in_place_says_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "is_there", lambda: None)
    shop.keys(TLS)

    assert (shop.plain(), shop.secure()) == (["80"], ["443"])
    shop.in_place(OLD + "listen [::]:80 default_server;")
    assert (shop.plain(), shop.secure()) == (["80", "[::]:80"], ["443", "[::]:443"])


def test_workers_alone_need_no_address(shop: Shop) -> None:
    shop.keys('listen = "80"', 'run = "a"\nsocket = "none"')

    assert (shop.plain(), shop.told()) == ([], [])


def test_the_default_of_before_stays_and_gets_no_ipv6(shop: Shop) -> None:
    shop.in_place(OLD.replace("80", "8080"))

    assert shop.plain() == ["0.0.0.0:8080"]
    assert shop.told() == ["nginx listens on port 8080 of every IPv4 address of this machine, as before 0.2"]
    shop.in_place("listen 0.0.0.0:8080 default_server;")
    assert shop.plain() == ["0.0.0.0:8080"]
    shop.in_place("listen 127.0.0.1:8080 default_server;")
    assert shop.plain() == ["127.0.0.1:8080"]


@pytest.mark.parametrize(
    ("keys", "text", "told"),
    [
        ('listen = "80"', OLD, [NEW]),
        ('listen = "80"', "", []),
        ('listen = "80"', OLD.replace("80", "81"), []),
        ('listen = "80"', OLD + "listen [::]:80 default_server;", []),
        ('listen = ["80", "[::]:80"]', OLD, []),
        ('listen = "0.0.0.0:80"', OLD, []),
        (f'{TLS}\nlisten = "0.0.0.0:80"', OLD + "listen 443 ssl;", [NEW.replace("80", "443")]),
    ],
)
def test_new_addresses_of_ipv6_are_told(shop: Shop, keys: str, text: str, told: list[str]) -> None:
    shop.keys(keys)
    shop.in_place(text)

    assert shop.told() == told
