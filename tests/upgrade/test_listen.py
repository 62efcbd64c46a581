"""A project without `listen`: it stays reachable as it was, and a new one is reachable from this machine only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.system.project import PLAIN, Project, configure, service
from tests.waiting import eventually

from .network import Network
from .programs import NEW, OLD, Program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces")

# Prints what a visitor gets at this address, port 8080.
GET = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(f"http://{sys.argv[1]}:8080/", timeout=20).read().decode().strip())
except OSError as error:
    print(getattr(error.reason, "strerror", None) or error)
"""
LOOPBACK, OUTSIDE = "127.0.0.1", "10.91.0.1"


class Ports(Network):
    """Port 8080 is free there; it has an address beside 127.0.0.1."""

    def __init__(self, project: Project, programs: Mapping[str, Program]) -> None:
        super().__init__(project, programs, OUTSIDE)

    def get(self, address: str) -> str:
        return self.run(sys.executable, "-I", "-c", GET, address).stdout.strip()

    def listens(self, *addresses: str) -> None:
        """Wait until it answers at these addresses alone: the new text is read."""
        wanted = {address: "web 1" if address in addresses else "Connection refused" for address in (LOOPBACK, OUTSIDE)}
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


def test_a_new_project_is_reachable_from_this_machine_only(network: Ports) -> None:
    network.zddeploy(NEW, "deploy")

    network.listens(LOOPBACK)
    assert "every address" not in network.zddeploy(NEW, "check")


def test_a_site_does_not_vanish_by_an_upgrade(network: Ports) -> None:
    network.zddeploy(OLD, "deploy")
    network.listens(LOOPBACK, OUTSIDE)

    said = network.zddeploy(NEW, "deploy")

    assert "nginx listens on port 8080 of every address of this machine, as before 0.2" in said
    assert 'set listen in [nginx]: "8080" keeps it so' in said
    network.listens(LOOPBACK, OUTSIDE)
    assert "of every address of this machine, as before 0.2" in network.zddeploy(NEW, "check")
    network.zddeploy(NEW, "down")
    network.zddeploy(NEW, "up")
    network.listens(LOOPBACK, OUTSIDE)


@pytest.mark.parametrize(("before", "after"), [("8080", f"{LOOPBACK}:8080"), (f"{LOOPBACK}:8080", "8080")])
def test_what_nginx_cannot_change_while_it_runs_is_refused_beforehand(network: Ports, before: str, after: str) -> None:
    where = {"8080": (LOOPBACK, OUTSIDE), f"{LOOPBACK}:8080": (LOOPBACK,)}
    network.project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nlisten = "{before}"\n')
    network.zddeploy(OLD, "deploy")
    network.project.replace("deploy.toml", f'listen = "{before}"', f'listen = "{after}"')

    said = network.zddeploy(NEW, "deploy", code=2)

    assert "nginx listens on port 8080 of" in said
    assert "and cannot change to" in said
    assert "`zddeploy down`, then `zddeploy`" in said
    network.listens(*where[before])
    network.zddeploy(NEW, "down")
    network.zddeploy(NEW, "deploy")
    network.listens(*where[after])
