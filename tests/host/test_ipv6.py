"""Whether a machine speaks IPv6: what its kernel and its interfaces say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zdd.host import ipv6, light

LOOK = [sys.executable, "-c", "from zdd.host import ipv6; print(ipv6.is_there())"]
OFF = "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces")
@pytest.mark.parametrize(
    ("made", "there"),
    [("ip link set lo up", True), ("true", False), (f"ip link set lo up; {OFF}", False)],
    ids=["loopback", "no interface", "switched off"],
)
def test_a_machine_with_an_address_of_ipv6_has_it(made: str, there: bool) -> None:
    argv = ["unshare", "--net", "sh", "-ec", f'{made}; exec "$@"', "sh", *LOOK]

    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)

    assert said.stdout.strip() == str(there)


def refuse(*_: object) -> None:
    raise OSError(97, "Address family not supported by protocol")


def test_a_kernel_without_the_file_and_such_sockets_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "_ADDRESSES", "/proc/net/there-is-none")
    monkeypatch.setattr(light.socket, "socket", refuse)

    assert ipv6.is_there() is False


def test_a_unit_that_forbids_such_sockets_says_nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light.socket, "socket", refuse)

    assert ipv6.is_there() is None


def test_neither_does_one_that_hides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipv6, "_ADDRESSES", "/proc/net/there-is-none")

    assert ipv6.is_there() is None
