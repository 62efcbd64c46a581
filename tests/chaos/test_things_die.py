"""kill -9 of everything zdd has running, at rest and in the middle of a deploy."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable

import pytest

from tests.system.project import (
    LIGHT,
    PLAIN,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    busy,
    configure,
    nginx_workers,
    service,
    version,
)
from tests.waiting import eventually
from zdd.host.process import Process
from zdd.keeper import client

WEB = service("web", **PLAIN, health_path="/", keep_warm="1s")


def kill(pid: int) -> None:
    """kill -9, and see it gone."""
    found = Process.find(pid)
    assert found is not None
    assert found.signal(signal.SIGKILL)
    assert found.wait(30)


def keeper_of(project: Project, name: str) -> int:
    keeper = client.pids(f"{project.runtime}/control/{name}.pids").keeper
    assert keeper is not None
    return keeper.pid


def master(project: Project) -> int:
    return int((project.runtime / "nginx.pid").read_text())


def serves(project: Project, number: int) -> None:
    """For a second after the switch pooled connections lead to the old version; then this one answers."""
    eventually(lambda: f"X-Release: {number}\r\n" in project.get())


def test_the_app_of_a_killed_keeper_serves_on_and_the_next_deploy_replaces_it(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    with project.load(**LIGHT) as load:
        kill(keeper_of(project, "web-1"))
        status = project.status()
        assert [one["state"] for one in status["services"][0]["instances"]] == ["unkept"]
        assert "the keeper of web-1 has died; its app still serves" in status["problems"][0]
        version(project, 2)
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert list(project.serving()) == ["web-2"]
    assert project.status()["problems"] == []


def test_an_old_version_whose_keeper_is_killed_as_it_drains_is_told_until_it_is_ended(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/", keep_warm="0s"))
    project.zddeploy()
    (call,) = busy(project, "go")
    version(project, 2)
    with project.beside() as running:
        eventually(lambda: project.instances()["web-1"]["state"] == "draining")
        kill(keeper_of(project, "web-1"))
        assert running.wait(60) == 0
        assert "its keeper has died and its app runs on: `zddeploy recover`, or the next deploy, ends it" in " ".join(
            running.said().split()
        )

    told = "the keeper of web-1 has died; its app runs on, and nothing leads to it: `zddeploy recover` ends it"
    assert project.status()["problems"] == [told]
    project.write("go", "")
    assert "200 OK" in call.answer()
    project.zddeploy("recover")
    assert project.status()["problems"] == []
    assert list(project.instances()) == ["web-2"]


def test_an_app_that_is_killed_is_restarted_and_clients_wait_for_it(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    pid = project.serving()["web-1"]

    kill(pid)

    assert "200 OK" in project.get()
    eventually(lambda: project.serving().get("web-1", pid) != pid)
    assert project.instances()["web-1"]["restarts"] == 1


def test_a_killed_nginx_worker_is_replaced_by_nginx(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    before = nginx_workers(project)

    kill(min(before))

    eventually(lambda: len(nginx_workers(project)) == len(before))
    version(project, 2)
    project.zddeploy()
    assert project.status()["problems"] == []


def test_workers_of_a_killed_nginx_master_serve_on_through_a_deploy(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    with project.load(**LIGHT) as load:
        kill(master(project))
        assert "its workers serve on" in project.status()["problems"][0]
        version(project, 2)
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    serves(project, 2)


def test_a_deploy_that_changes_nginxs_text_takes_over_from_workers_without_a_master(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    project.write("deploy.toml", (project.folder / "deploy.toml").read_text() + service("api", **PLAIN, path="/api"))
    with project.load(**LIGHT) as load:
        kill(master(project))
        project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert project.status()["problems"] == []


def test_an_nginx_that_is_gone_altogether_is_started_by_the_next_deploy(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    workers = nginx_workers(project)
    kill(master(project))
    for worker in workers:
        kill(worker)
    assert project.status()["problems"] == ["nginx does not run: `zddeploy` starts it"]

    project.zddeploy()

    assert "200 OK" in project.get()


@pytest.mark.parametrize(
    "victim",
    [
        lambda project: keeper_of(project, "web-1"),
        lambda project: keeper_of(project, "web-2"),
        lambda project: project.instances()["web-1"]["pid"],
        master,
        lambda project: min(nginx_workers(project)),
    ],
    ids=["the old keeper", "the new keeper", "the old app", "nginx's master", "an nginx worker"],
)
def test_whatever_dies_in_the_middle_of_a_deploy_the_site_is_served(
    project: Project, victim: Callable[[Project], int]
) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    version(project, 2)
    project.replace("deploy.toml", 'health_path = "/"', 'health_path = "/"\nbefore_start = "sleep 0.1"\nbake = "2s"')
    with project.beside() as running:
        eventually(lambda: (project.runtime / "control/web-2.pids").exists())
        time.sleep(0.3)
        kill(victim(project))
        running.wait(60)

    project.zddeploy()
    assert [problem for problem in project.status()["problems"] if "its workers serve on" not in problem] == []
    serves(project, 2)


def test_ten_at_once_one_wins_and_nine_are_told_who(project: Project) -> None:
    configure(project, WEB, before_start="while test ! -e go; do sleep 0.05; done")
    runs = [project.beside() for _ in range(10)]
    eventually(lambda: sum(run.poll() == 3 for run in runs) == 9)
    project.write("go", "")

    assert sorted(run.wait(60) for run in runs) == [0] + [3] * 9
    assert project.status()["deploy"] == 1


def test_ten_at_once_that_wait_all_succeed(project: Project) -> None:
    configure(project, WEB)
    runs = [project.beside("--lock-timeout", "10m") for _ in range(10)]
    codes = [run.wait(600) for run in runs]

    assert codes == [0] * 10
    assert project.status()["deploy"] == 10


def test_damaged_and_deleted_files_are_told_of_or_made_again(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    (project.state / "history.jsonl").unlink()
    (project.runtime / "owner").write_text("{")
    (project.state / "runtime").unlink()
    version(project, 2)
    project.zddeploy()
    serves(project, 2)

    manifest = project.runtime / "tables/2/manifest.json"
    text = manifest.read_text()
    manifest.write_text(text[: len(text) // 2])
    refused = project.zddeploy(code=5)
    assert "manifest.json is damaged" in refused.stderr
    serves(project, 2)
    manifest.write_text(text)
    project.zddeploy()


def test_a_hundred_deploys_leave_no_more_than_one(project: Project, everything: bool) -> None:
    deploys = 100 if everything else 12
    configure(project, WEB)
    project.zddeploy()

    def sizes() -> tuple[int, int, int]:
        return (
            len(list((project.runtime / "control").iterdir())),
            len(list((project.runtime / "instances").iterdir())),
            len(nginx_workers(project)),
        )

    ends = []
    with project.load(rate=100, connections=16) as load:
        for number in range(2, deploys + 2):
            version(project, number)
            project.zddeploy()
            ends.append(time.monotonic())
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    eventually(lambda: sizes()[0] <= 6 and sizes()[1] <= 2)
    recent = [end for end in ends if end > ends[-1] - 12]  # the tables of the last 10 s are kept
    assert len(list((project.runtime / "tables").iterdir())) <= len(recent) + 5
    history = [json.loads(line) for line in (project.state / "history.jsonl").read_text().splitlines()]
    assert len(history) == deploys + 1
