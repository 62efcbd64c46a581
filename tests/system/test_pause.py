"""pause, resume and maintenance: what happens to requests while something is done that they should not meet."""

from __future__ import annotations

import time

from tests.waiting import eventually
from zdd.host.process import Process
from zdd.load import Kind

from .project import (
    PLAIN,
    PLAIN_UNIX,
    Project,
    assert_nothing_lost,
    configure,
    nginx_workers,
    service,
    template,
)
from .test_stop_first import MANY

COUNTED = (Kind(path="/slow/0"),)  # plain.py tells of each


def nobody_is_let_in(project: Project) -> bool:
    """Tell whether the app gets no request for a while: until then it gets what nginx has pooled connections for."""
    before = project.log("web-*.log")
    time.sleep(1)
    return project.log("web-*.log") == before


def test_requests_wait_until_resume(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/", instances=2))
    project.zddeploy()
    with project.load(COUNTED, **MANY) as load:
        shown = project.zddeploy("pause", "--max", "50s").stdout
        eventually(lambda: nobody_is_let_in(project))
        status = project.status()
        resumed = project.zddeploy("resume").stdout
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert "holding requests for up to 50 s (at most " in shown
    assert [text.split(" for ")[0] for text in status["notes"]] == ["web-1 is paused", "web-2 is paused"]
    assert status["state"] == "paused"
    assert status["paused"].keys() == {"web-1", "web-2"}
    assert resumed == "released the requests of web-1, web-2\n"
    assert project.zddeploy("resume").stdout == "nothing was paused\n"


def test_a_pause_that_nobody_ends_ends_by_itself(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    with project.load(**MANY) as load:
        project.zddeploy("pause", "--max", "2s")
        eventually(lambda: not project.status()["notes"])
        report = load.stop()

    assert_nothing_lost(report)
    assert report.percentile(100) > 1


def test_an_app_that_crashes_while_requests_wait_answers_them_afterwards(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    with project.load(COUNTED, **MANY) as load:
        project.zddeploy("pause", "--max", "50s")
        eventually(lambda: nobody_is_let_in(project))
        found = Process.find(project.serving()["web-1"])
        assert found is not None
        found.signal(9)
        eventually(lambda: project.instances()["web-1"]["restarts"] == 1 and project.serving())
        assert project.status()["notes"], "the restart has ended the pause"
        project.zddeploy("resume")
        report = load.stop()

    assert_nothing_lost(report)


def test_a_deploy_ends_the_pause(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/", keep_warm="0s"))
    project.zddeploy()
    with project.load(**MANY) as load:
        project.zddeploy("pause", "--max", "25s")
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert list(project.serving()) == ["web-2"]


def test_what_cannot_wait_is_refused(project: Project) -> None:
    both = service("web", **PLAIN), service("api", **PLAIN_UNIX, path="/api")
    configure(project, *both)
    assert "shop has no running service that can be paused" in project.zddeploy("pause", code=2).stderr
    project.zddeploy()

    assert "requests of api cannot be held" in project.zddeploy("pause", "api", code=2).stderr
    assert "nginx gives up after 60 s" in project.zddeploy("pause", "--max", "60s", code=2).stderr
    assert "has no service 'wbe'" in project.zddeploy("pause", "wbe", code=2).stderr
    assert "api: not paused" in project.zddeploy("pause", "--max", "1s").stdout


def test_maintenance_answers_503_with_a_page_and_nginx_is_not_reloaded(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    workers = nginx_workers(project)

    project.zddeploy("maintenance", "on", "--message", "Back at <noon>")
    during = project.get()
    noted = project.status()["notes"]
    project.zddeploy()
    still = project.get()
    project.zddeploy("maintenance", "off")

    assert during.startswith("HTTP/1.1 503")
    assert "Retry-After: 30" in during
    assert "text/html" in during
    assert "Back at &lt;noon&gt;" in during
    assert still.startswith("HTTP/1.1 503")
    assert noted == ["maintenance is on, every request is answered with 503: `zddeploy maintenance off` ends it"]
    assert project.get().startswith("HTTP/1.1 200")
    assert project.zddeploy("maintenance", "off").stdout == "maintenance was not on\n"
    assert nginx_workers(project) == workers


def test_maintenance_shows_the_users_own_page(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.write("sorry.html", "<h1>Sorry")
    project.zddeploy()

    project.zddeploy("maintenance", "on", "--page", "sorry.html")

    assert project.get().endswith("<h1>Sorry")


def test_maintenance_of_a_template_that_does_not_look_says_what_it_needs(project: Project) -> None:
    template(project, "location / { proxy_pass http://web; }", "", "web")
    configure(project, service("web", **PLAIN))
    own = (project.folder / "deploy.toml").read_text()
    nginx = f'[nginx]\ntemplate = "nginx.conf.template"\npid_file = "{project.runtime}/nginx.pid"\n'
    project.write("deploy.toml", own.replace(f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n', nginx))
    project.zddeploy()

    refused = project.zddeploy("maintenance", "on", code=2).stderr
    lines = refused.split("deploy:\n")[1]
    project.replace("nginx.conf.template", "location / {", f"{lines}\nlocation / {{")
    project.zddeploy()
    project.zddeploy("maintenance", "on")

    assert project.get().startswith("HTTP/1.1 503")
