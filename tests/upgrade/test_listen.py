"""A project without `listen`: it stays reachable as it was, and a new one is reachable from this machine only."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.system.project import PLAIN, Project, configure, service
from tests.waiting import eventually
from zdd.host import ipv6

from .network import Network
from .programs import NEW, OLD, Program
from .story import Story, new, old

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces")
needs_ipv6 = pytest.mark.skipif(not ipv6.is_there(), reason="this machine has no IPv6")

# Prints what a visitor gets at this address, port 8080.
GET = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(f"http://{sys.argv[1]}:8080/", timeout=20).read().decode().strip())
except OSError as error:
    print(getattr(error.reason, "strerror", None) or error)
"""
# Listens on port 8080 of this address of IPv6, and says so.
OTHER = """
import socket, sys
with socket.create_server((sys.argv[1], 8080), family=socket.AF_INET6):
    print(flush=True)
    sys.stdin.read()
"""
LOOPBACK, OUTSIDE, OF_IPV6 = "127.0.0.1", "10.91.0.1", "[fd91::1]"
WITHOUT = "sysctl -q -w net.ipv6.conf.all.disable_ipv6"


class Ports(Network):
    """Port 8080 is free there; it has an address beside 127.0.0.1."""

    def __init__(self, project: Project, programs: Mapping[str, Program]) -> None:
        super().__init__(project, programs, OUTSIDE, OF_IPV6.strip("[]"))

    def get(self, address: str) -> str:
        return self.run(sys.executable, "-I", "-c", GET, address).stdout.strip()

    def listens(self, *addresses: str) -> None:
        """Wait until it answers at these addresses alone: the new text is read."""
        known = (LOOPBACK, OUTSIDE, OF_IPV6)
        wanted = {address: "web 1" if address in addresses else "Connection refused" for address in known}
        found: dict[str, str] = {}

        def are_found() -> bool:
            found.update({address: self.get(address) for address in wanted})
            return found == wanted

        try:
            eventually(are_found)
        except AssertionError:
            log = self.project.state / "logs/nginx.log"
            raise AssertionError(f"{found}\n{log.read_text() if log.exists() else ''}") from None


@pytest.fixture
def network(programs: Mapping[str, Program]) -> Iterator[Ports]:
    project = Project()
    configure(project, service("web", **PLAIN, health_path="/", keep_warm="0s"))
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    made = Ports(project, programs)
    yield made
    made.end()
    project.end()


@needs_root
def test_a_new_project_is_reachable_from_this_machine_only(network: Ports) -> None:
    network.zddeploy(NEW, "deploy")

    network.listens(LOOPBACK)
    assert "every address" not in network.zddeploy(NEW, "check")


@needs_root
def test_a_site_does_not_vanish_by_an_upgrade(network: Ports) -> None:
    network.zddeploy(OLD, "deploy")
    network.listens(LOOPBACK, OUTSIDE)

    said = network.zddeploy(NEW, "deploy")

    assert "nginx listens on port 8080 of every IPv4 address of this machine, as before 0.2" in said
    assert 'set listen in [nginx]: "0.0.0.0:8080" keeps it so' in said
    network.listens(LOOPBACK, OUTSIDE)
    assert "of every IPv4 address of this machine, as before 0.2" in network.zddeploy(NEW, "check")
    network.zddeploy(NEW, "down")
    network.zddeploy(NEW, "up")
    network.listens(LOOPBACK, OUTSIDE)


@needs_root
@pytest.mark.parametrize(("before", "after"), [("8080", f"{LOOPBACK}:8080"), (f"{LOOPBACK}:8080", "8080")])
def test_what_nginx_cannot_change_while_it_runs_is_refused_beforehand(network: Ports, before: str, after: str) -> None:
    where = {"8080": (LOOPBACK, OUTSIDE), f"{LOOPBACK}:8080": (LOOPBACK,)}
    listen(network, before)
    network.zddeploy(OLD, "deploy")
    network.project.replace("deploy.toml", f'listen = "{before}"', f'listen = "{after}"')

    said = network.zddeploy(NEW, "deploy", code=2)

    assert "nginx listens on port 8080 of" in said
    assert "and cannot change to" in said
    assert "`zddeploy down`, then `zddeploy`" in said
    network.listens(*where[before])
    network.zddeploy(NEW, "down")
    network.zddeploy(NEW, "deploy")
    network.listens(*where[after], *([OF_IPV6] if after == "8080" else []))


@needs_root
def test_a_bare_port_gets_ipv6_by_an_upgrade_and_a_deploy_says_so_once(network: Ports) -> None:
    listen(network, "8080")
    network.zddeploy(OLD, "deploy")
    network.listens(LOOPBACK, OUTSIDE)
    told = "nginx will listen on port 8080 of every IPv6 address of this machine, too"
    assert told in network.zddeploy(NEW, "check")

    assert told in network.zddeploy(NEW, "deploy")

    network.listens(LOOPBACK, OUTSIDE, OF_IPV6)
    assert "of every address of this machine: nginx listens" in network.zddeploy(NEW, "check")
    again = network.zddeploy(NEW, "deploy")
    assert told not in again
    assert "unchanged" in again
    network.project.replace("deploy.toml", '"8080"', '"0.0.0.0:8080"')
    assert "reloaded" in network.zddeploy(NEW, "deploy")
    network.listens(LOOPBACK, OUTSIDE)


@needs_root
def test_addresses_of_ipv6_beside_a_bare_port_stay_what_they_are(network: Ports) -> None:
    """nginx could not reload from one of them to all."""
    network.project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nlisten = ["8080", "{OF_IPV6}:8080"]\n')
    network.zddeploy(OLD, "deploy")

    assert "IPv6 address of this machine, too" not in network.zddeploy(NEW, "deploy")

    network.listens(LOOPBACK, OUTSIDE, OF_IPV6)
    assert "Connection refused" in network.get("[::1]")


@needs_root
def test_without_ipv6_a_bare_port_is_every_address_of_ipv4_until_there_is_some(network: Ports) -> None:
    listen(network, "8080")
    network.run("sh", "-c", f"{WITHOUT}=1")
    network.zddeploy(NEW, "deploy")

    assert network.get(OUTSIDE) == "web 1"
    shown = network.zddeploy(NEW, "check")
    assert "port 8080 of every IPv4 address of this machine, which has no IPv6: nginx listens" in shown
    network.run("sh", "-c", f"{WITHOUT}=0 && ip address add {OF_IPV6.strip('[]')}/128 dev lo")

    assert "nginx will listen on port 8080 of every IPv6 address" in network.zddeploy(NEW, "deploy")

    network.listens(LOOPBACK, OUTSIDE, OF_IPV6)


@needs_root
def test_ipv6_that_somebody_else_has_is_named_with_the_way_out(network: Ports) -> None:
    listen(network, "8080")
    network.zddeploy(OLD, "deploy")
    other = network.start(sys.executable, "-I", "-c", OTHER, OF_IPV6.strip("[]"))
    try:
        said = network.zddeploy(NEW, "deploy", code=2)
    finally:
        other.kill()
        other.communicate()

    assert f"port 8080 of IPv6 is taken by process {other.pid} (" in said
    assert 'end it, or change listen ("0.0.0.0:8080" leaves IPv6 out)' in said
    network.listens(LOOPBACK, OUTSIDE)


@needs_ipv6
def test_a_bare_port_gets_ipv6_by_an_upgrade_and_nobody_is_lost(story: Callable[[str], Story]) -> None:
    told = story("every address")
    port, steps = told.site.project.port, [old("deploy", 1), new("deploy", 2), old("deploy", 3), new("deploy", 4)]
    for step in steps:
        told.play([step])
        await_answers("::1", port, step.program == NEW)
        await_answers("127.0.0.1", port, True)


def listen(network: Ports, port: str) -> None:
    network.project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nlisten = "{port}"\n')


def await_answers(address: str, port: int, wanted: bool) -> None:
    """Wait until somebody listens there, or nobody does."""

    def answers() -> bool:
        try:
            socket.create_connection((address, port), 20).close()
        except ConnectionRefusedError:
            return False
        return True

    eventually(lambda: answers() is wanted)
