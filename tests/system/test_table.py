"""The switch by table on real servers behind a real nginx: one rename, and nothing is lost."""

from __future__ import annotations

import time

from tests.waiting import eventually
from zdd.load import Kind, Report

from .project import (
    DEPLOYS,
    PLAIN,
    RATE,
    THE_SECOND,
    UVICORN,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    nginx_workers,
    service,
    version,
)

SLOW = (Kind(weight=30), Kind("POST", "/echo", body=2000, weight=20), Kind(path="/slow"))
UVICORN_TCP = {"run": "uvicorn --port {port} --log-level warning asgi:app", "socket": "tcp"}


def test_deploys_under_load_lose_nothing_and_close_no_client_connection(project: Project) -> None:
    configure(project, service("web", **UVICORN, health_path="/", keep_warm="1s"))
    project.zddeploy()
    workers = nginx_workers(project)
    with project.load(SLOW, rate=RATE) as load:
        for number in range(2, DEPLOYS + 2):
            version(project, number)
            project.zddeploy()
        time.sleep(THE_SECOND)
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert nginx_workers(project) == workers
    seconds, share = overlap(report, str(DEPLOYS), str(DEPLOYS + 1))
    print(
        f"{report.requests} requests; of those due in the {seconds:.2f} s of both versions {share:.0%} met the old one"
    )


def test_nginxs_pooled_connections_follow_the_switch_by_themselves(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    with project.load(rate=RATE) as load:
        version(project, 2)
        project.zddeploy()
        eventually(lambda: project.instances()["web-1"]["connections"] == 0)
        report = load.stop()

    assert_nothing_lost(report)
    seconds, share = overlap(report, "1", "2")
    print(f"of the requests due in the {seconds:.2f} s of both versions {share:.0%} met the old one")


def overlap(report: Report, old: str, new: str) -> tuple[float, float]:
    """How long requests that came due after the new version's first answer met the old one, and how many did."""
    first = report.answered[new].first
    values = {report.values.index(value) + 1: value for value in (old, new)}
    due = [(due, values.get(value)) for due, value in zip(report.samples.due, report.samples.value, strict=True)]
    last = max([first, *(when for when, value in due if value == old)])
    there = [value for when, value in due if first < when <= last]
    return last - first, there.count(old) / max(1, len(there))


def test_deploys_of_a_tcp_service_lose_nothing(project: Project) -> None:
    configure(project, service("web", **UVICORN_TCP, health_path="/", keep_warm="1s"))
    project.zddeploy()
    with project.load(SLOW, rate=RATE) as load:
        for number in range(2, DEPLOYS + 2):
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert str(DEPLOYS + 1) in report.answered
    print(f"{report.requests} requests, {report.reconnects} connections closed by {DEPLOYS} reloads, {report.failed}")


def test_deploys_of_an_overloaded_single_worker_lose_nothing(project: Project) -> None:
    """Its accept queue is never empty: what waits there when the switch comes is answered by the old version."""
    run = {"run": "gunicorn --workers 1 wsgi:app", "env": {"SLOW": "0.05"}}
    configure(project, service("web", **run, health_path="/", keep_warm="0s"))
    project.zddeploy()
    with project.load((Kind(path="/slow"),), rate=30, connections=64) as load:  # it can do 20 a second
        for number in range(2, 5):
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert report.percentile(100) > 0.1, "it was not over capacity"
    print(f"{report.requests} requests, the slowest took {report.percentile(100):.1f} s")


def test_a_deploy_of_one_service_leaves_the_others_alone(project: Project) -> None:
    configure(
        project,
        service("web", **PLAIN),
        service("api", **PLAIN, path="/api", instances=2),
    )
    project.zddeploy()
    web, api = project.serving("web"), project.serving("api")
    version(project, 2)
    project.zddeploy("deploy", "api")

    assert project.serving("web") == web
    assert sorted(project.serving("api")) == ["api-3", "api-4"]
    assert not set(project.serving("api").values()) & set(api.values())
    assert "web 1" in project.get("/")
    eventually(lambda: "api 2" in project.get("/api"))
