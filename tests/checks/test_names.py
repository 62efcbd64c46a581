"""Names that lead to an address of IPv6 of a machine that has none."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zdd.checks import names
from zdd.conf import read
from zdd.finding import Finding
from zdd.host import ipv6

OF = {"shop.test": "2001:db8::7", "www.shop.test": None, "slow.test": "2001:db8::8"}


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str, *_: object) -> list[Any]:
        if name == "slow.test":
            time.sleep(60)
        if (address := OF.get(name)) is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(ipv6, "is_there", lambda: False)


def found(folder: Path, nginx: str, *hosts: str) -> list[Finding]:
    path = folder / "deploy.toml"
    path.write_text(f'[zdd]\nproject = "shop"\n[nginx]\n{nginx}\n[service.web]\nrun = "a"\nhost = {list(hosts)}\n')
    return list(names.findings(SimpleNamespace(config=read.load(path))))  # type: ignore[arg-type]


def test_a_name_with_an_address_of_ipv6_is_told(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, 'listen = "80"', "www.shop.test", "*.shop.test", "shop.test")

    assert finding.what == "shop.test has the IPv6 address 2001:db8::7, and this machine has none"
    assert "remove the AAAA record of shop.test" in finding.fix


@pytest.mark.parametrize("nginx", ["", 'listen = "0.0.0.0:80"', 'listen = "[::]:80"'])
def test_where_no_bare_port_is_said_nobody_is_asked(tmp_path: Path, nginx: str) -> None:
    assert found(tmp_path, nginx, "shop.test") == []


def test_where_there_is_ipv6_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "is_there", lambda: True)

    assert found(tmp_path, 'listen = "80"', "shop.test") == []


def test_a_resolver_that_does_not_answer_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_PATIENCE", 0.1)

    assert found(tmp_path, 'listen = "80"', "slow.test", "shop.test") == []
