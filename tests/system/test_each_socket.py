"""
What other files prove with one kind of socket, with both, at 200 requests a second; G4 to N10 are reports of real life.

With a TCP port nginx has to reload, which closes idle connections before 1.27.4. So these cases have a newer nginx with
`keepalive_min_timeout`, where nobody may be lost, and what an older one costs is measured beside what it costs alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.machine import free_port
from zdd.load import Report
from zdd.nginx.process.binary import packaged

from . import foreign_nginx
from .at_load import ANSWERS, ANSWERS_TCP, BUSY, TOO_LARGE, answers, behind_template, deploy_at_load
from .foreign_nginx import Foreign, configured, said
from .project import (
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)
from .test_asked_as_visitors import TLS, certify
from .test_nginx_as_it_is import PYTHON, SEEN, as_games, second_nginx

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")
MATRIX = pytest.mark.matrix
BOTH = pytest.mark.parametrize("run", [pytest.param(ANSWERS, marks=MATRIX), ANSWERS_TCP], ids=["fd", "tcp"])
PLAINS = pytest.mark.parametrize("run", [pytest.param(PLAIN, marks=MATRIX), PLAIN_TCP], ids=["fd", "tcp"])


@pytest.fixture(autouse=True, params=["1.31", pytest.param("usual", marks=MATRIX)])
def loses_nobody(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[Report], None]:
    """Have that nginx, which spares idle connections if it can; returns what must be true of each report."""
    if request.param == "usual":
        return assert_only_reloads_cost
    (tmp_path / "nginx").symlink_to(str(packaged()))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(foreign_nginx, "NGINX", str(packaged()))
    project.write("site-spare.conf", "keepalive_min_timeout 5s;\n")
    return assert_nothing_lost


Check = Callable[[Report], None]


@BOTH
def test_an_include_where_80_only_redirects(
    project: Project, foreign: Foreign, run: dict[str, str], loses_nobody: Check
) -> None:
    """G4: TLS is spoken where the site has it; a redirect of nginx's own is no answer of the app."""
    foreign.start()
    configured(project, foreign, run=run, health_host="shop.test", health_path="/health")
    answers(project, 1)
    project.zddeploy()
    certify(project.folder)
    site = TLS.replace("REDIRECTS", str(free_port())).replace("TLS", str(free_port()))
    site = site.replace("FOLDER", str(project.folder))
    project.write("site-tls.conf", site.replace("LINES", ""))
    project.write("site-others.conf", f"server {{ listen 127.0.0.1:{project.port} default_server; return 404; }}\n")
    foreign.lead(site="server_name www.test;")

    version(project, 2)
    result, report = deploy_at_load(project, 0, "/fine", "www.test")
    assert result["unproved"] == []
    loses_nobody(report)
    answers(project, 3, health={"header": TOO_LARGE})
    result, report = deploy_at_load(project, 1, "/fine", "www.test")
    assert "healthy, but nginx answers 502 for GET /health with Host shop.test" in result["cause"]
    loses_nobody(report)
    answers(project, 4)
    project.write("site-tls.conf", site.replace("LINES", "return 301 /elsewhere;"))
    foreign.reload()
    result, report = deploy_at_load(project, 0, "/fine", "www.test")
    assert result["unproved"] == [{"service": "web", "reason": "redirect"}]
    loses_nobody(report)


@BOTH
@pytest.mark.parametrize("text", ["own", "template"])
def test_a_path_that_only_begins_like_the_route(
    project: Project, run: dict[str, str], text: str, loses_nobody: Check
) -> None:
    """G5: /apihealth is not below /api, so it proves nothing of it."""
    keys: dict[str, str] = {"health_path": "/apihealth", "keep_warm": "0s"} | run
    if text == "own":
        configure(project, service("web", **PLAIN), service("api", **keys, path="/api"))
    else:
        behind_template(project, "", service("web", **PLAIN), service("api", **keys))
        routes = "location / { proxy_pass http://web; } location /api/ { proxy_pass http://api; }"
        project.replace("nginx.conf.template", "location / { proxy_pass http://web; }", routes)
        project.replace("nginx.conf.template", "upstream web", "upstream api { {api.servers} } upstream web")
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, **{"api": {"header": TOO_LARGE}, "api/": {"header": TOO_LARGE}})

    result, report = deploy_at_load(project, 1, "/api/fine", "www.test")

    assert "api: healthy, but nginx answers 502 for GET /api" in result["cause"]
    loses_nobody(report)


def refused_meanwhile(project: Project, second: Project, words: str) -> Report:
    """Have the second project refused, with these words, before and after a deploy of the first one under load."""
    with project.load(**BUSY) as load:
        assert words in said(second, code=2)
        version(project, 3)
        project.zddeploy()
        assert f"{project.folder}/deploy.toml" in said(second, code=2)
        return load.stop()


@PLAINS
def test_a_second_project_at_a_taken_port(project: Project, run: dict[str, str], loses_nobody: Check) -> None:
    """N10: it is refused, and the first one goes on and is deployed meanwhile."""
    configure(project, service("web", **run, keep_warm="0s"))
    project.zddeploy()
    second = Project()
    try:
        second.port = project.port
        configure(second, service("api", **run))
        version(second, 2)
        report = refused_meanwhile(project, second, f"port {project.port} is taken by the nginx (process")
    finally:
        second.end()

    loses_nobody(report)
    assert list(report.answered) == ["1", "3"]


@PLAINS
def test_a_second_project_at_the_same_include(
    project: Project, foreign: Foreign, run: dict[str, str], loses_nobody: Check
) -> None:
    """H9: it is refused, and the first one goes on and is deployed meanwhile."""
    foreign.start()
    configured(project, foreign, run=run)
    project.zddeploy()
    foreign.lead()
    second = Project()
    try:
        configured(second, foreign, run=run)
        second.replace("deploy.toml", 'include = "upstreams.conf"', f'include = "{project.folder}/upstreams.conf"')
        version(second, 2)
        report = refused_meanwhile(project, second, f"{project.folder}/deploy.toml")
    finally:
        second.end()

    loses_nobody(report)
    assert list(report.answered) == ["1", "3"]


def test_an_nginx_that_cannot_be_seen(project: Project, foreign: Foreign, loses_nobody: Check) -> None:
    """H3: with hidepid=2 the visible nginx of one's own was taken for the one that includes the file."""
    foreign.start()
    run = {"run": f"{PYTHON} -S plain.py {{port}}", "socket": "tcp"}
    configured(project, foreign, pid_file=False, run=run, health_path="/")
    project.replace("deploy.toml", f'test = "{foreign.program} -t -q -c {foreign.main}"', "")
    asked = project.folder / "asked"
    project.replace("deploy.toml", f"pkill -HUP -o -F {foreign.pid_file}", f"touch {asked}")
    second = second_nginx(project, foreign)
    for path in (project.folder, *project.folder.rglob("*")):
        shutil.chown(path, "games", "games")
    try:
        with reloaded_when(asked, foreign):
            as_games(project)
            foreign.lead()
            version(project, 2)
            with project.load(**BUSY) as load:
                assert "its master cannot be seen" in as_games(project, code=5)
                assert "web-1" in as_games(project, "status", code=1)
                as_games(project, "recover", within=SEEN)
                as_games(project, within=SEEN)
                report = load.stop()
    finally:
        as_games(project, "down")
        os.kill(second, signal.SIGTERM)

    loses_nobody(report)
    assert list(report.answered) == ["1", "2"]


@pytest.mark.parametrize("loses_nobody", ["usual"], indirect=True)
def test_a_deploy_costs_what_a_reload_costs_without_it(project: Project, foreign: Foreign, loses_nobody: Check) -> None:
    """Measured alternately: a reload resets no more requests than it has clients, with a deploy and without."""
    foreign.start()
    configured(project, foreign, run=PLAIN_TCP)
    project.zddeploy()
    foreign.lead()
    resets = {"alone": 0, "deploys": 0}
    for number in (2, 3, 4):
        with project.load(**BUSY) as load:
            foreign.reload()
            report = load.stop()
        loses_nobody(report)
        resets["alone"] += report.failed["reset"]
        version(project, number)
        _, report = deploy_at_load(project)
        loses_nobody(report)
        resets["deploys"] += report.failed["reset"]

    print(f"requests that three reloads reset: {resets}")
    assert resets["deploys"] <= resets["alone"] + 3 * BUSY["connections"], resets


@contextmanager
def reloaded_when(asked: Path, foreign: Foreign) -> Iterator[None]:
    """Reload that nginx whenever the file is there: a helper of root's does it for those who may not."""
    end = threading.Event()

    def run() -> None:
        while not end.wait(0.01):
            with suppress(FileNotFoundError):
                asked.unlink()
                os.kill(foreign.master, signal.SIGHUP)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
