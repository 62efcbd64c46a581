"""An instance that stays down, and whose visitors a sibling serves, is replaced together with that sibling."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.project import MIXED, Project, configure, service, version
from tests.system.test_outages import BROKEN, FRAIL
from tests.waiting import eventually


def put_down(project: Project, name: str) -> None:
    """Kill an app that cannot start again, and wait until its keeper leads its connections elsewhere."""
    folder = project.runtime / "instances" / name
    project.write(f"broken.{name}", "")
    os.kill(project.instances()[name]["pid"], signal.SIGKILL)
    eventually(lambda: (folder / "socket").is_symlink() or (folder / "outage").exists())


@pytest.mark.parametrize("way", FRAIL)
@pytest.mark.parametrize("action", ["deploy", "restart"])
def test_it_is_replaced_and_costs_nothing_more(project: Project, way: str, action: str, everything: bool) -> None:
    rounds = 10 if everything else 2
    configure(project, service("web", **FRAIL[way], instances=3, keep_warm="0s", health_path="/"))
    project.replace("frail.py", "import os\n", f"import os\n{BROKEN}\n")
    project.zddeploy()
    with project.load(MIXED, rate=60, connections=8) as load:
        for number in range(rounds):
            put_down(project, list(project.instances())[number % 3])
            version(project, number + 2)
            project.zddeploy(action)
            assert project.status()["problems"] == []
        report = load.stop()

    print(f"{dict(report.failed)} of {report.requests}")
    idle = report.failed["reset"] if way == "tcp" else 0  # nginx closes idle connections when it is reloaded
    assert report.total_failed - idle <= 6 * rounds, report.failures[:5]  # what the killed apps were at work on
    assert report.ok > 100
