"""The cause of a refusal is told at once, and nobody is held while a version that ignores its stop signal is ended."""

from __future__ import annotations

import pytest

from tests.waiting import eventually
from zdd.host.process import Process

from .project import PLAIN, PLAIN_UNIX, Project, configure, leftovers, service, version

STUBBORN = "python -S broken.py answers_500_and_ignores_sigterm {fd}"
KEYS = {"health_path": "/health", "start_timeout": "5s", "stop_timeout": "50s"}  # the app needs some of it to answer
CAUSE = "GET /health was answered 500, wanted 200-299: out of order"


def born(project: Project) -> list[int]:
    return [int(line) for line in (project.folder / "born").read_text().split()]


def test_a_refused_version_that_ignores_its_stop_signal_holds_nobody(project: Project) -> None:
    """Its keeper goes on, alone; meanwhile the next version can be deployed."""
    project.write("born", "")
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    configure(project, service("web", run=STUBBORN, **KEYS | {"stop_timeout": "1h"}))
    version(project, 2)

    refused = project.zddeploy(code=1)

    assert CAUSE in refused.stderr
    assert "deploy 1 still serves" in refused.stderr
    assert "web-2                    has not ended yet: it is killed 3600 s after it was told to stop" in refused.stdout
    (app,) = (found for pid in born(project) if (found := Process.find(pid)))
    assert project.instances()["web-2"]["state"] == "stopping"
    configure(project, service("web", **PLAIN, stop_timeout="1h"))  # the newest holds for web-2 as well
    version(project, 3)
    project.zddeploy()
    assert "web 3" in project.get()
    assert project.instances()["web-2"]["state"] == "stopping"
    app.signal(9)
    eventually(lambda: not list((project.runtime / "control").glob("web-2.*")))
    assert not (project.runtime / "instances/web-2").exists()


def test_the_cause_is_an_event_before_the_undo_and_the_keeper_kills_what_ignores_its_signal(project: Project) -> None:
    project.write("born", "")
    configure(project, service("web", run=STUBBORN, **KEYS | {"stop_timeout": "2s"}))

    events = project.events(code=1)

    kinds = [event["event"] for event in events]
    failed, result = events[kinds.index("failed")], events[-1]
    assert [event["step"] for event in events[kinds.index("failed") :] if event["event"] == "doing"] == ["undo"]
    assert CAUSE in failed["cause"]
    assert failed["log"].endswith("web-1.log")
    assert (result["event"], result["cause"], result["exit"]) == ("result", failed["cause"], 1)
    assert kinds.count("failed") == kinds.count("result") == 1
    eventually(lambda: leftovers(project.folder) == [])


def test_two_versions_of_a_stop_first_service_never_run_at_once_so_its_refused_one_is_waited_for(
    project: Project,
) -> None:
    project.write("born", "")
    keys = KEYS | {"stop_timeout": "3s", "order": "stop-first"}
    configure(project, service("web", run=STUBBORN, **keys))  # a first version, which replaces none

    refused = project.zddeploy(code=1)

    assert CAUSE in refused.stderr
    assert [pid for pid in born(project) if Process.find(pid)] == []
    assert "has not ended yet" not in refused.stdout


@pytest.mark.parametrize("keys", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_a_version_that_ends_when_it_is_told_to_is_gone_when_the_command_ends(
    project: Project, keys: dict[str, str]
) -> None:
    configure(project, service("web", **keys))
    project.zddeploy()
    configure(project, service("web", **keys, health_path="/nothing", health_status="418", start_timeout="5s"))
    version(project, 2)

    refused = project.zddeploy(code=1)

    assert "wanted 418" in refused.stderr
    assert "has not ended yet" not in refused.stdout
    eventually(lambda: not list((project.runtime / "control").glob("web-2.*")))
