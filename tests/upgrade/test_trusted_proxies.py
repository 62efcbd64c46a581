"""A site behind a proxy with a public address, such as Cloudflare: an upgrade must not send its visitors in circles."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.system.project import Project, configure, service, version
from tests.waiting import eventually

from .network import Network
from .programs import NEW, OLD, Program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces")

PORT = 8080
HERE, PROXY, STRANGER = "192.0.2.1", "198.51.100.7", "203.0.113.9"

# Prints what the app was told of a visitor whom the proxy at the address argv[1] has sent by https.
GET = f"""
import http.client, sys
connection = http.client.HTTPConnection("{HERE}", {PORT}, 20, source_address=(sys.argv[1], 0))
connection.request("GET", "/", headers={{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.99"}})
print(connection.getresponse().read().decode())
"""


class Internet(Network):
    """Public addresses for the site, its proxy and a stranger."""

    def __init__(self, project: Project, programs: Mapping[str, Program]) -> None:
        super().__init__(project, programs, HERE, PROXY, STRANGER)

    def told(self, source: str) -> dict[str, str]:
        """What the app is told of who comes by this address."""
        said = self.run(sys.executable, "-I", "-c", GET, source)
        found: dict[str, str] = json.loads(said.stdout)
        return found


@pytest.fixture
def internet(programs: Mapping[str, Program]) -> Iterator[Internet]:
    project = Project()
    configure(project, service("web", run="python -S echo.py {fd}", health_path="/", keep_warm="0s"))
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', f'listen = "{HERE}:{PORT}"')
    made = Internet(project, programs)
    yield made
    made.end()
    project.end()


def test_a_site_behind_a_public_proxy_goes_on_and_is_told_what_to_write(internet: Internet) -> None:
    internet.zddeploy(OLD, "deploy")
    assert internet.told(PROXY)["x-forwarded-proto"] == "https"
    version(internet.project, 2)

    said = internet.zddeploy(NEW, "deploy")

    assert "X-Forwarded-For and -Proto of every visitor are believed, as before 0.2" in said
    found = internet.told(PROXY)
    assert (found["version"], found["x-forwarded-proto"]) == ("2", "https")
    assert found["x-forwarded-for"] == f"192.0.2.99, {PROXY}"
    line = f'trusted_proxies = ["private", "{PROXY}"]'
    eventually(lambda: line in internet.zddeploy(NEW, "check"))
    version(internet.project, 3)
    assert line in internet.zddeploy(NEW, "deploy")
    assert internet.told(PROXY)["x-forwarded-proto"] == "https"
    internet.zddeploy(NEW, "down")
    internet.zddeploy(NEW, "up")
    assert internet.told(PROXY)["x-forwarded-proto"] == "https"

    internet.project.replace("deploy.toml", "[nginx]\n", f"[nginx]\n{line}\n")
    said = internet.zddeploy(NEW, "deploy") + internet.zddeploy(NEW, "check")

    assert "X-Forwarded" not in said
    found = internet.told(PROXY)
    assert (found["x-forwarded-proto"], found["x-real-ip"]) == ("https", "192.0.2.99")
    found = internet.told(STRANGER)
    assert (found["x-forwarded-proto"], found["x-forwarded-for"]) == ("http", STRANGER)
    assert (found["x-real-ip"], found["x-forwarded-host"]) == (STRANGER, f"{HERE}:{PORT}")


def test_a_new_site_behind_a_public_proxy_is_told_what_to_write(internet: Internet) -> None:
    said = internet.zddeploy(NEW, "deploy")

    assert "X-Forwarded" not in said
    found = internet.told(PROXY)
    assert (found["x-forwarded-proto"], found["x-forwarded-for"]) == ("http", PROXY)
    words = f"X-Forwarded-Proto came from {PROXY}, and is not believed; write in [nginx] "
    line = f'trusted_proxies = ["private", "{PROXY}"]'
    eventually(lambda: words + line in internet.zddeploy(NEW, "deploy"))
    assert line in internet.zddeploy(NEW, "check")
    assert STRANGER not in internet.zddeploy(NEW, "check")

    internet.project.replace("deploy.toml", "[nginx]\n", '[nginx]\ntrusted_proxies = "private"\n')

    assert "X-Forwarded" not in internet.zddeploy(NEW, "check")
