"""
What the gate proves and refuses, behind each text that nginx may have: zdd's own, a template, an include.

Each case at 200 requests a second, fd and tcp; the names A12, G6 to G11, N2, N8, X7, X10, X11 and X14 are those of
reports from real life, which the other files play where they were met.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.host.process import Process
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
from .test_another_hand import is_shutting_down
from .test_asked_as_visitors import another_program
from .test_maintenance_at_load import on_and_off, outcomes

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others"),
    pytest.mark.usefixtures("each_nginx"),
]
MATRIX = pytest.mark.matrix
TEXTS = pytest.mark.parametrize("text", ["own", pytest.param("template", marks=MATRIX), "include"])
OTHERS = pytest.mark.parametrize("text", [pytest.param("template", marks=MATRIX), "include"])
KINDS = [pytest.param(ANSWERS, marks=MATRIX), ANSWERS_TCP]
BOTH = pytest.mark.parametrize("run", KINDS, ids=["fd", "tcp"])
PLAINS = pytest.mark.parametrize("run", [pytest.param(PLAIN, marks=MATRIX), PLAIN_TCP], ids=["fd", "tcp"])
HINT = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def serve(project: Project, foreign: Foreign, text: str, run: Mapping[str, str], line: str = "", **keys: Any) -> None:
    """
    Have version 1 behind such a text, in whose server block is this line; visitors ask for www.test.

    Apps of ANSWERS answer as the file says that is there, if it is.
    """
    keys = {"keep_warm": "0s", **keys}
    if text == "include":
        foreign.start()
        configured(project, foreign, run=dict(run), health_host="www.test", **keys)
    elif text == "template":
        behind_template(project, "", service("web", **run, health_host="www.test", **keys))
        project.replace("nginx.conf.template", "server_name www.test;", f"server_name www.test; {line}")
    else:
        configure(project, service("web", **run, **keys))
    if "answers.py" in run["run"] and not (project.folder / "ANSWERS").exists():
        answers(project, 1)
    project.zddeploy()
    if text == "include":
        foreign.lead(site=f"server_name www.test; {line}")


def deploy(project: Project, code: int = 0, path: str = "/") -> tuple[dict[str, object], Sequence[str]]:
    """Deploy at load; returns the result, and the versions that have answered. Nobody may be lost but by a reload."""
    result, report = deploy_at_load(project, code, path, "www.test")
    assert_only_reloads_cost(report)
    return result, list(report.answered)


@TEXTS
@BOTH
def test_an_app_that_does_not_know_the_host_any_more(
    project: Project, foreign: Foreign, text: str, run: dict[str, str]
) -> None:
    """A12: without a health_path anything below 500 was healthy; now it is what the version before answered, or not."""
    serve(project, foreign, text, run)
    answers(project, 2, root={"status": "400 Bad Request"})

    result, _ = deploy(project, 1, "/fine")

    assert "the new version answers 400 for GET / with Host" in str(result["cause"])
    assert "where the one before answered 200" in str(result["cause"])


@TEXTS
@BOTH
def test_an_apps_own_502(project: Project, foreign: Foreign, text: str, run: dict[str, str]) -> None:
    """G6: it is no fault of nginx's."""
    answers(project, 1, health={"status": "502 Bad Gateway"})
    serve(project, foreign, text, run, health_path="/health", health_status="502")
    version(project, 2)

    result, versions = deploy(project, path="/fine")

    assert (result["unproved"], versions) == ([], ["1", "2"])


@TEXTS
@BOTH
def test_a_health_request_that_takes_longer_than_the_gates_patience(
    project: Project, foreign: Foreign, text: str, run: dict[str, str]
) -> None:
    """G9: the service's own timeout counts. It is 2 s where nothing is set; `test_asked_as_visitors` waits longer."""
    serve(project, foreign, text, run, health_path="/health", health_timeout="30s")
    answers(project, 2, health={"seconds": 3})

    result, versions = deploy(project, path="/fine")

    assert (result["unproved"], versions) == ([], ["1", "2"])


@OTHERS
@BOTH
def test_a_health_request_slower_than_nginxs_patience(
    project: Project, foreign: Foreign, text: str, run: dict[str, str]
) -> None:
    """G9: refused, with the reason."""
    serve(project, foreign, text, run, "proxy_read_timeout 1s;", health_path="/health", health_timeout="9s")
    answers(project, 2, health={"seconds": 2})

    result, _ = deploy(project, 1, "/fine")

    assert "healthy, but nginx answers 504 for GET /health" in str(result["cause"])


@TEXTS
@BOTH
def test_an_early_hint(
    project: Project, text: str, run: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """G10: only a newer nginx passes it on to the gate."""
    monkeypatch.setattr(foreign_nginx, "NGINX", str(packaged()))
    foreign = request.getfixturevalue("foreign")
    (project.folder / "bin").mkdir()
    (project.folder / "bin/nginx").symlink_to(str(packaged()))
    monkeypatch.setenv("PATH", f"{project.folder}/bin:{os.environ['PATH']}")
    serve(project, foreign, text, run, health_path="/health")
    answers(project, 2, health={"before": HINT})

    result, versions = deploy(project, path="/fine")

    assert (result["unproved"], versions) == ([], ["1", "2"])


@TEXTS
@PLAINS
def test_a_mistake_in_the_gate_itself(
    project: Project, foreign: Foreign, text: str, run: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """G11: it fails the deploy."""
    serve(project, foreign, text, run, health_path="/")
    version(project, 2)
    broken = "from zdd.nginx.gate import Gate\n\ndef fail(*_):\n    raise IndexError\n\nGate._verdict = fail\n"
    project.write("mistake/sitecustomize.py", broken)
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(project.folder / "mistake"))
        result, _ = deploy(project, 1)

    assert "IndexError" in str(result["cause"])
    eventually(lambda: "X-Release: 1" in project.get(host="www.test"))  # the tail


@OTHERS
@BOTH
@pytest.mark.parametrize("status", ["503", pytest.param("200", marks=MATRIX)])
def test_a_page_in_place_of_an_app_that_nginx_cannot_reach(
    project: Project, foreign: Foreign, text: str, run: dict[str, str], status: str
) -> None:
    """X7: it is no answer."""
    page = f"error_page 502 504 ={status} /down; location = /down {{ internal; return {status}; }}"
    serve(project, foreign, text, run, page, health_path="/health")
    answers(project, 2, health={"header": TOO_LARGE})

    result, _ = deploy(project, 1, "/fine")

    assert "healthy, but nginx answers 502 for GET /health with Host www.test" in str(result["cause"])


@pytest.mark.parametrize("where", ["proxy", "444", "another program"])
@PLAINS
def test_an_include_behind_a_balancer_or_beside_another_program(
    project: Project, foreign: Foreign, run: dict[str, str], where: str
) -> None:
    """G7 and G8: what cannot be asked is told, and what can is asked where it is."""
    serve(project, foreign, "include", run, health_path="/")
    other = free_port()
    if where != "another program":
        how, line = (" proxy_protocol", "") if where == "proxy" else ("", "return 444;")
        shop = f"location / {{ {line} proxy_pass http://web; }} }}\n"
        shop += f"server {{ listen 127.0.0.1:{project.port} default_server; return 404; }}\n"
        project.write("site-shop.conf", f"server {{ listen 127.0.0.1:{other}{how}; server_name shop.test; {shop}")
        project.replace("deploy.toml", 'health_host = "www.test"', 'health_host = "shop.test"')
        foreign.reload()
    with another_program(443) if where == "another program" else nullcontext():
        version(project, 2)
        result, versions = deploy(project)

    assert result["unproved"] == ([{"service": "web", "reason": "closed"}] if where == "444" else [])
    assert versions == ["1", "2"]


@TEXTS
@PLAINS
def test_during_maintenance_no_request_reaches_the_new_version(
    project: Project, foreign: Foreign, text: str, run: dict[str, str]
) -> None:
    """N8 and N2 and X10: `/zdd-maintenance%0A` reached the app, and a cache of open files delayed on and off."""
    cached = "" if text == "own" else "open_file_cache max=100; open_file_cache_valid 30s; open_file_cache_errors on;"
    serve(project, foreign, text, run, health_path="/")
    if text != "own":
        cached_everywhere(project, foreign, text, cached)
    with project.load(host="www.test", **BUSY) as load:
        eventually(lambda: "X-Release: 1" in project.get(host="www.test"))
        on, begun, off = on_and_off(project)
        report = load.stop()
    assert outcomes(report, on, begun) == {"5xx"}
    assert outcomes(report, off, report.ended) == {"ok"}

    project.zddeploy("maintenance", "on")
    version(project, 2)
    result, report = deploy_at_load(project, paths="/zdd-maintenance%0A", host="www.test")
    project.zddeploy("maintenance", "off")

    assert result["unproved"] == [{"service": "web", "reason": "maintenance"}]
    assert report.failed["5xx"] + report.failed["reset"] == report.requests
    assert "X-Release: 2" in project.get(host="www.test")


def cached_everywhere(project: Project, foreign: Foreign, text: str, cached: str) -> None:
    """Have the lines that `maintenance on` asks for in the server block, beside such a cache for all of http."""
    words = project.zddeploy("maintenance", "on", code=None)
    project.zddeploy("maintenance", "off", code=None)
    lines = "open_file_cache off;" + (words.stdout + words.stderr).partition("open_file_cache off;")[2]
    assert "zdd-maintenance" in lines, words
    if text == "template":
        project.replace("nginx.conf.template", "server_name www.test;", f"server_name www.test;\n{lines}\n")
        project.replace("nginx.conf.template", "access_log off;", f"access_log off; {cached}")
        project.zddeploy()
    else:
        project.write("site-cache.conf", cached)
        foreign.lead(site=f"server_name www.test;\n{lines}\n")


def test_a_reload_that_fails_for_the_templates_own_fault(project: Project) -> None:
    """X11: refused, with nginx's reason; no version without a new text is held up. (Ports are looked at before.)"""
    behind_template(project, "", service("web", **PLAIN, keep_warm="0s", health_host="www.test", health_path="/"))
    project.zddeploy()
    good = (project.folder / "nginx.conf.template").read_text()
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"{project.folder}/taken")
        server = f"server {{ listen unix:{project.folder}/taken; }}\n}}\n"
        project.write("nginx.conf.template", good.rstrip().removesuffix("}") + server)
        version(project, 2)
        result, _ = deploy(project, 1)
        assert f"bind() to unix:{project.folder}/taken failed" in str(result["cause"])
        project.write("nginx.conf.template", good)
        result, versions = deploy(project)

    assert result["unproved"] == []
    assert versions == ["1", "2"]


@pytest.mark.parametrize("text", [pytest.param("template", marks=MATRIX)])
def test_another_sites_old_worker_holds_up_no_deploy(project: Project, foreign: Foreign, text: str) -> None:
    """X14: for a socket no worker has to end."""
    other = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = f"server {{ listen 127.0.0.1:{other}; location / {{ proxy_pass http://127.0.0.1:%d; }} }}"
        web = service("web", **PLAIN, keep_warm="0s", drain_timeout="10m", health_host="www.test", health_path="/")
        behind_template(project, site % silent.getsockname()[1], web)
        project.zddeploy()
        master = Process.find(int((project.runtime / "nginx.pid").read_text()))
        assert master
        with socket.create_connection(("127.0.0.1", other)) as download:
            download.sendall(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
            accepted, _ = silent.accept()
            master.signal(signal.SIGHUP)
            eventually(lambda: is_shutting_down(master))
            version(project, 2)
            result, report = deploy_at_load(project, host="www.test")
            assert is_shutting_down(master)
            accepted.close()

    assert result["unproved"] == []
    assert_nothing_lost(report)
    assert list(project.instances()) == ["web-2"]


@OTHERS
@PLAINS
def test_a_program_that_was_replaced_on_disk(
    project: Project, foreign: Foreign, text: str, run: dict[str, str]
) -> None:
    """X12: it is asked as long as it runs."""
    program = Path(foreign.program)
    if text == "template":
        behind_template(project, "", service("web", **run, keep_warm="0s", health_host="www.test", health_path="/"))
        project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nbinary = "{program}"\n')
        project.zddeploy()
    else:
        serve(project, foreign, text, run, health_path="/")
    running = project.status()["nginx"]["version"]
    newer = project.folder / "newer"
    newer.write_bytes(Path(str(packaged())).read_bytes())
    newer.chmod(0o755)
    os.rename(newer, program)
    version(project, 2)

    result, versions = deploy(project)

    assert (result["unproved"], versions) == ([], ["1", "2"])
    assert project.status()["nginx"]["version"] == running
    assert "runs a program that was replaced on disk" in said(project, "check", code=0)
