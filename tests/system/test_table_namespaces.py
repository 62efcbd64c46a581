"""nginx and apps that do not live where zdd does: connections are counted all the same. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.waiting import eventually
from zdd.load import Kind, Load, Report, Spec

from .project import MIXED, PLAIN, RATE, Project, assert_nothing_lost, busy, configure, service, version

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")

NAMESPACE, OURS, ITS = f"zdd{os.getpid()}", "10.213.7.1", "10.213.7.2"
SLOW = (*MIXED, Kind(path="/slow/0.3"))

# The server binds its socket by another name, which means something only in a mount namespace of its own.
ELSEWHERE = """\
#!/bin/sh
mkdir -p elsewhere
exec unshare -m sh -c 'mount --bind "$1" elsewhere && exec python -S plain.py "$PWD/elsewhere/socket"' sh "${1%/*}"
"""


@pytest.fixture
def nginx_elsewhere() -> Iterator[None]:
    """A network namespace of nginx's own, with an address in it that can be reached from here."""
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", f"{NAMESPACE}a", "type", "veth", "peer", f"{NAMESPACE}b", "netns", NAMESPACE)
        ip("address", "add", f"{OURS}/24", "dev", f"{NAMESPACE}a")
        ip("link", "set", f"{NAMESPACE}a", "up")
        for words in (f"address add {ITS}/24 dev {NAMESPACE}b", f"link set {NAMESPACE}b up", "link set lo up"):
            ip("-n", NAMESPACE, *words.split())
        yield
    finally:
        ip("netns", "delete", NAMESPACE)


def four_deploys(project: Project, load: Load) -> Report:
    """Deploy versions 2 to 5 under this load; check that it lost nothing and that no connection was closed."""
    for number in range(2, 6):
        version(project, number)
        project.zddeploy()
    report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert list(report.answered) == ["1", "2", "3", "4", "5"]
    return report


@pytest.mark.usefixtures("nginx_elsewhere")
def test_nginx_in_another_network_namespace_loses_nothing(project: Project) -> None:
    """A connection lives in the namespace of who connected: counted in ours alone, nobody seems to be there."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    project.write("nginx", f'#!/bin/sh\nexec ip netns exec {NAMESPACE} {nginx} "$@"\n').chmod(0o755)
    configure(project, service("web", **PLAIN, keep_warm="0s"), nginx='binary = "nginx"\n')
    project.replace("deploy.toml", "127.0.0.1:", f"{ITS}:")
    project.zddeploy()
    with Load(Spec(f"{ITS}:{project.port}", SLOW, rate=RATE, record="X-Release", timeout=60)) as load:
        report = four_deploys(project, load)
    print(f"{report.requests} requests")


def test_an_app_behind_a_bind_mount_loses_nothing(project: Project) -> None:
    """Its socket has another name than the one nginx connects to; it is known by its inode."""
    project.write("elsewhere.sh", ELSEWHERE)
    configure(project, service("web", run="sh elsewhere.sh {socket}", socket="unix", keep_warm="0s"))
    project.zddeploy()
    with project.load(SLOW, rate=RATE) as load:
        four_deploys(project, load)


def test_an_app_behind_a_bind_mount_is_drained_to_the_last_connection(project: Project) -> None:
    project.write("elsewhere.sh", ELSEWHERE)
    configure(project, service("web", run="sh elsewhere.sh {socket}", socket="unix", keep_warm="0s"))
    project.zddeploy()
    calls = busy(project, "go", "go")
    version(project, 2)
    deploy = project.beside()
    eventually(lambda: "draining, 2 connections" in deploy.said())
    project.write("go", "")
    assert deploy.wait(60) == 0

    assert [call.answer()[:12] for call in calls] == ["HTTP/1.1 200"] * 2


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
