"""Who listens on a TCP port, where netlink is refused, too."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from zdd.host import net_tcp, netlink


@pytest.fixture(params=["netlink", "text"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "text":
        refuse_netlink(monkeypatch)


def refuse_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> socket.socket:
        raise netlink.Unavailable(errno.EAFNOSUPPORT)

    monkeypatch.setattr(netlink, "connect", refuse)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listener_is_known_by_its_inode_and_its_user(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener, socket.socket(family) as bound:
        for each in (listener, bound):
            each.bind((address, 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]):
            found = net_tcp.listening_on(listener.getsockname()[1])

        # Others may listen on the same port of another address.
        assert (os.fstat(listener.fileno()).st_ino, os.geteuid()) in found
        only_bound = net_tcp.listening_on(bound.getsockname()[1])
        assert os.fstat(bound.fileno()).st_ino not in [inode for inode, _ in only_bound]
