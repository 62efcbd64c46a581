"""
What the gate asks is what visitors ask, and what it believes is what they get: each case at 200 requests a second.

The names G1 to G11 are those of reports from real life: a deploy said "done", and visitors got something else.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.nginx.process.binary import packaged

from .at_load import ANSWERS, ANSWERS_TCP, TOO_LARGE, answers, assert_switched, behind_template, deploy_at_load
from .foreign_nginx import NGINX, Foreign, configured
from .project import (
    PLAIN,
    PLAIN_TCP,
    THE_SECOND,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

pytestmark = pytest.mark.usefixtures("each_nginx")
BOTH = pytest.mark.parametrize("run", [ANSWERS, ANSWERS_TCP], ids=["fd", "tcp"])
MATRIX = pytest.mark.matrix


@BOTH
def test_a_host_that_is_not_the_services_is_not_asked(project: Project, run: dict[str, str]) -> None:
    """G3: asked by the health request's own host, zdd's default server answered 404, and that was taken for arrived."""
    configure(project, service("web", **run, host="shop.test", health_host="localhost", health_path="/health"))
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, root={"header": TOO_LARGE}, health={"header": TOO_LARGE})

    result, report = deploy_at_load(project, 1, "/fine", "shop.test")

    assert "healthy, but nginx answers 502 for GET /health with Host shop.test" in result["cause"]
    assert_only_reloads_cost(report)
    eventually(lambda: "X-Release: 1" in project.get(host="shop.test"), THE_SECOND + 5)


def test_a_path_that_only_begins_like_the_route_is_not_asked(project: Project) -> None:
    """G5: /apihealth is not below /api."""
    api = service("api", **ANSWERS, path="/api", health_path="/apihealth")
    configure(project, service("web", **PLAIN), api)
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, api={"header": TOO_LARGE})

    result, report = deploy_at_load(project, 1, "/api/fine")

    assert "api: healthy, but nginx answers 502 for GET /api" in result["cause"]
    assert_nothing_lost(report)


@BOTH
@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Timeout"])
def test_an_apps_own_502_is_no_fault_of_nginxs(project: Project, run: dict[str, str], status: str) -> None:
    """G6: every deploy was refused, and nginx blamed."""
    configure(project, service("web", **PLAIN), service("api", **run, path="/api", health_path="/health"))
    answers(project, 1, api={"status": status})
    project.zddeploy()
    version(project, 2)

    result, report = deploy_at_load(project, paths="/api/fine")

    assert_switched(result, report)


@pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
def test_where_visitors_come_by_the_proxy_protocol_the_gate_sends_its_line(
    project: Project, run: dict[str, str]
) -> None:
    """G7: nginx closed the connection, and no deploy was possible."""
    balanced = f"listen 127.0.0.1:{free_port()} proxy_protocol;\n        server_name shop.test;"
    server = f"server {{\n        {balanced}\n        location / {{ proxy_pass http://web; }}\n    }}"
    behind_template(project, "", service("web", **run, health_host="shop.test", health_path="/"))
    project.replace("nginx.conf.template", "    # the visitors of these tests", f"    {server}")  # before all others
    project.zddeploy()
    version(project, 2)

    result, report = deploy_at_load(project, host="www.test")

    assert result["unproved"] == []
    assert_only_reloads_cost(report)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")
@pytest.mark.parametrize(("line", "reason"), [("", None), ("return 444;", "closed")], ids=["proxy", "444"])
def test_an_include_behind_a_balancer_is_deployed(
    project: Project, foreign: Foreign, line: str, reason: str | None
) -> None:
    """G7, in an nginx that somebody else runs."""
    foreign.start()
    configured(project, foreign, health_host="shop.test", health_path="/")
    project.zddeploy()
    how = "" if line else f"listen 127.0.0.1:{free_port()} proxy_protocol;"
    how = how or f"listen 127.0.0.1:{free_port()};"
    shop = f"server {{ {how} server_name shop.test; location / {{ {line} proxy_pass http://web; }} }}\n"
    shop += f"server {{ listen 127.0.0.1:{project.port} default_server; return 404; }}\n"
    project.write("site-shop.conf", shop)
    foreign.lead(site="server_name www.test;")
    version(project, 2)

    result, report = deploy_at_load(project, host="www.test")

    assert result["unproved"] == ([{"service": "web", "reason": reason}] if reason else [])
    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")
def test_an_include_whose_site_is_not_at_443_is_asked_where_it_is(project: Project, foreign: Foreign) -> None:
    """G8: port 443 belonged to another program, whose TLS error was taken for nginx's answer."""
    foreign.start()
    configured(project, foreign, health_host="localhost", health_path="/")
    project.zddeploy()
    foreign.lead()
    version(project, 2)

    with another_program(443):
        result, report = deploy_at_load(project)

    assert result["unproved"] == []
    assert_nothing_lost(report)


@contextmanager
def another_program(port: int) -> Iterator[None]:
    """Listen there, unless somebody does already, and answer everybody with what is no HTTP."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
        return

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"220 ready\r\n")

    thread = threading.Thread(target=run)
    thread.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize("seconds", [3, pytest.param(22, marks=MATRIX)])
def test_a_health_request_may_take_what_the_service_says(project: Project, seconds: int) -> None:
    """G9: the gate gave up after 20 s, whatever health_timeout said."""
    web = service("web", **ANSWERS, health_path="/health", health_timeout="40s", start_timeout="60s")
    configure(project, web)
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, health={"seconds": seconds})

    result, report = deploy_at_load(project, paths="/fine")

    assert result["unproved"] == []
    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]


def test_a_health_request_slower_than_nginxs_patience_is_refused_with_the_reason(project: Project) -> None:
    """G9: the reason was `()`."""
    web = service("web", **ANSWERS, health_path="/health", health_timeout="9s")
    configure(project, web, nginx='proxy_read_timeout = "1s"\n')
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, health={"seconds": 2})

    result, report = deploy_at_load(project, 1, "/fine")

    assert "healthy, but nginx answers 504 for GET /health" in result["cause"]
    assert_nothing_lost(report)


@pytest.mark.parametrize(
    ("program", "path"), [(NGINX, "/api"), (packaged(), "/health")], ids=["at health", "at the gate"]
)
def test_an_early_hint_is_not_the_answer(project: Project, program: str, path: str) -> None:
    """G10: the 103 before the 200 was taken for it. No nginx before 1.29 passes it on, so there only health has it."""
    web = service("web", **ANSWERS, path=path, health_path="/health")
    configure(project, web, nginx=f'binary = "{program}"\n')
    hint = {"before": "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"}
    answers(project, 1, health=hint)
    project.zddeploy()
    answers(project, 2, health=hint)

    result, report = deploy_at_load(project, paths=f"{path}/fine")

    assert result["unproved"] == []
    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]


def test_a_mistake_in_the_gate_itself_fails_the_deploy(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """G11: any exception in it was swallowed, and the deploy committed with nothing proved."""
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    version(project, 2)
    broken = "from zdd.nginx.gate import Gate\n\ndef fail(*_):\n    raise IndexError\n\nGate._verdict = fail\n"
    project.write("mistake/sitecustomize.py", broken)
    monkeypatch.setenv("PYTHONPATH", str(project.folder / "mistake"))

    result, report = deploy_at_load(project, 1)

    assert "IndexError" in result["cause"]
    assert_nothing_lost(report)
    monkeypatch.delenv("PYTHONPATH")
    assert list(project.serving()) == ["web-1"]
    assert "X-Release: 1" in project.get()


TLS = """\
server { listen 127.0.0.1:REDIRECTS; server_name shop.test; return 301 https://shop.test$request_uri; }
server {
    listen 127.0.0.1:TLS ssl; server_name shop.test;
    ssl_certificate FOLDER/cert; ssl_certificate_key FOLDER/key;
    location / { LINES proxy_pass http://web; } }
"""


@pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
def test_where_80_only_redirects_tls_is_spoken(project: Project, run: dict[str, str]) -> None:
    """G4: the gate took nginx's redirect for the app's answer, without a word."""
    certify(project.folder)
    servers = TLS.replace("REDIRECTS", str(free_port())).replace("TLS", str(free_port()))
    servers = servers.replace("FOLDER", str(project.folder))
    web = service("web", **run, health_host="shop.test", health_path="/")
    behind_template(project, servers.replace("LINES", ""), web)
    project.zddeploy()
    version(project, 2)

    result, report = deploy_at_load(project, host="www.test")

    assert_switched(result, report)

    behind_template(project, servers.replace("LINES", "return 301 /elsewhere;"), web)
    result, report = deploy_at_load(project, host="www.test")

    assert result["unproved"] == [{"service": "web", "reason": "redirect"}]
    assert_only_reloads_cost(report)


def certify(folder: Path) -> None:
    """Make a certificate that nobody knows."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.test", "-days", "2"]
    subprocess.run([*command, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)


def test_a_server_on_one_line_is_found(project: Project) -> None:
    """G4: the gate found no server in `server { listen 8080; ...` on one line, and asked nothing."""
    behind_template(project, "", service("web", **ANSWERS, health_host="www.test", health_path="/health"))
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, health={"header": TOO_LARGE})

    result, report = deploy_at_load(project, 1, "/fine", "www.test")

    assert "nginx answers 502 for GET /health with Host www.test" in result["cause"]
    assert_nothing_lost(report)
