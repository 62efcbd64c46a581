"""
The maintenance page at 200 requests a second: on and off hold at once, and nothing but the page is answered meanwhile.

The names N2, N8 and X10 are those of reports from real life.
"""

from __future__ import annotations

import time

import pytest

from zdd.load import Report

from .at_load import BUSY, deploy_at_load
from .project import PLAIN, PLAIN_TCP, Project, assert_nothing_lost, configure, service, template, version

pytestmark = pytest.mark.usefixtures("each_nginx")
BOTH = pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])


def behind_template(project: Project, http: str, locations: str = "") -> None:
    """Have a service behind a template that has the guide's maintenance lines."""
    configure(project, service("web", **PLAIN, health_path="/"))
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')
    whole = f"{locations} location / {{ proxy_pass http://web; }}"
    http = f"{{zdd.mark}} {http}"
    template(project, whole, http, "web")
    project.zddeploy()
    lines = project.zddeploy("maintenance", "on", code=2).stderr.split("deploy:\n")[1]
    template(project, f"{lines}\n{whole}", http, "web")
    project.zddeploy()


@BOTH
def test_during_maintenance_no_request_reaches_the_new_version(project: Project, run: dict[str, str]) -> None:
    """N8: `GET /zdd-maintenance%0A` reached the app; what is deployed meanwhile is told as not proved."""
    configure(project, service("web", **run, health_path="/"))
    project.zddeploy()
    project.zddeploy("maintenance", "on")
    version(project, 2)

    result, report = deploy_at_load(project, paths="/zdd-maintenance%0A")

    assert result["unproved"] == [{"service": "web", "reason": "maintenance"}]
    assert set(report.failed) <= {"5xx", "reset"}
    assert report.failed["5xx"] + report.failed["reset"] == report.requests
    assert not report.answered
    project.zddeploy("maintenance", "off")
    assert "X-Release: 2" in project.get()


def test_a_503_of_nginxs_own_stays_one_beside_the_maintenance_lines(project: Project) -> None:
    """N2: the 503 of limit_req became 404."""
    limited = "location /limited { limit_req zone=one; proxy_pass http://web; }"
    behind_template(project, "limit_req_zone $binary_remote_addr zone=one:32k rate=1r/m;", limited)
    version(project, 2)

    result, report = deploy_at_load(project)
    answers = [project.get("/limited").split("\r\n")[0] for _ in range(3)]

    assert result["unproved"] == []
    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]
    assert [answer.split()[1] for answer in answers] == ["200", "503", "503"]
    project.zddeploy("maintenance", "on")
    assert "503" in project.get("/limited").split("\r\n")[0]


def test_a_cache_of_open_files_delays_neither_on_nor_off(project: Project) -> None:
    """X10: with open_file_cache the app answered for 29 s more, and then the page for 25 s more."""
    behind_template(project, "open_file_cache max=100; open_file_cache_valid 30s; open_file_cache_errors on;")
    with project.load(**BUSY) as load:
        time.sleep(0.5)
        on, begun, off = on_and_off(project)
        report = load.stop()

    assert outcomes(report, on, begun) == {"5xx"}
    assert outcomes(report, off, report.ended) == {"ok"}


def on_and_off(project: Project) -> tuple[float, float, float]:
    """Have maintenance for half a second; returns when `on` had ended, `off` began, and `off` had ended."""
    project.zddeploy("maintenance", "on")
    on = time.monotonic()
    time.sleep(0.5)
    begun = time.monotonic()
    project.zddeploy("maintenance", "off")
    off = time.monotonic()
    time.sleep(0.5)
    return on, begun, off


def outcomes(report: Report, since: float, until: float) -> set[str]:
    """How the requests ended that were due and answered in this time: one may be sent later than it was due."""
    from zdd.load import OUTCOMES

    samples = report.samples
    found = zip(samples.due, samples.took, samples.outcome, strict=True)
    return {OUTCOMES[outcome] for due, took, outcome in found if since <= due and due + took < until}
