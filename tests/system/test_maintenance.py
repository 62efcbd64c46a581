"""maintenance: on means that every visitor gets the page; what is refused is as if nobody had asked."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host.process import Process

from .project import PLAIN, PLAIN_UNIX, Project, configure, nginx_workers, request, service, template

ROOT = os.geteuid() == 0


def answers(project: Project, host: str = "localhost", path: str = "/") -> str:
    """The status with which this host is answered."""
    return project.get(path, host).split()[1]


def is_off(project: Project) -> bool:
    """Tell whether neither a visitor nor status sees anything of it, and nothing is to be switched off."""
    noted = [note for note in project.status()["notes"] if "maintenance" in note]
    return not noted and project.zddeploy("maintenance", "off").stdout == "maintenance was not on\n"


def test_services_that_all_have_a_host_are_switched_off_and_on(project: Project) -> None:
    routes = {"web": "shop.test", "api": "*.api.test", "all": ".all.test", "old": "www.old.*"}
    configure(project, *(service(name, **PLAIN, host=host) for name, host in routes.items()))
    project.zddeploy()
    hosts = ["shop.test", "v1.api.test", "all.test", "x.all.test", "www.old.example"]

    said = project.zddeploy("maintenance", "on").stdout
    during = [answers(project, host) for host in hosts]
    project.zddeploy("maintenance", "off")

    assert said == "every request is answered with 503: `zddeploy maintenance off` ends it\n"
    assert during == ["503"] * 5
    assert [answers(project, host) for host in hosts] == ["200"] * 5


def test_a_server_name_is_asked_for(project: Project) -> None:
    configure(project, service("web", **PLAIN, path="/app/"), nginx='server_name = ["shop.test", "www.shop.test"]\n')
    project.zddeploy()

    project.zddeploy("maintenance", "on")

    assert [answers(project, host, "/app/") for host in ("shop.test", "www.shop.test")] == ["503", "503"]


def test_a_name_that_cannot_be_asked_for_is_told_of(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"), service("api", **PLAIN, host="~^v[0-9]+[.]test$"))
    project.zddeploy()

    said = project.zddeploy("maintenance", "on").stdout

    assert "not checked, since no request is known that leads there: the server ~^v[0-9]+[.]test$" in said
    assert [answers(project, host) for host in ("shop.test", "v1.test")] == ["503", "503"]


def test_a_configuration_that_is_not_deployed_yet_changes_nothing(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"))
    project.zddeploy()
    project.replace("deploy.toml", '"shop.test"', '"new.test"')

    project.zddeploy("maintenance", "on")

    assert answers(project, "shop.test") == "503"


def test_the_message_of_an_on_that_follows_another_is_shown(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"))
    project.zddeploy()

    for message in ("one", "two"):
        project.zddeploy("maintenance", "on", "--message", message)
        assert f"<p>{message}</p>" in project.get(host="shop.test")


@pytest.mark.skipif(not ROOT, reason="only root's nginx runs as another user")
def test_a_page_that_nginx_cannot_see_is_refused_and_gone(project: Project) -> None:
    configure(project, service("web", **PLAIN_UNIX, host="shop.test"))
    project.zddeploy()
    project.runtime.chmod(0o700)

    refused = project.zddeploy("maintenance", "on", code=1).stderr

    project.runtime.chmod(0o711)
    assert "maintenance is not on: nginx answers" in refused
    assert "with Host shop.test" in refused
    assert f"cannot pass {project.runtime}" in refused
    assert is_off(project)
    assert answers(project, "shop.test") == "200"


def test_without_an_nginx_it_is_refused_and_gone(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"))
    project.zddeploy()
    master = int((project.runtime / "nginx.pid").read_text())
    processes = [Process.find(pid) for pid in (master, *nginx_workers(project))]
    for found in filter(None, processes):
        found.signal(9)
        found.wait(30)

    refused = project.zddeploy("maintenance", "on", code=1).stderr

    assert f"maintenance is not on: nginx does not answer on 127.0.0.1:{project.port}" in refused
    assert "nginx does not run: `zddeploy` starts it" in refused
    assert is_off(project)


def test_of_a_project_that_is_down_it_is_refused(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"))
    assert "does not look for" in project.zddeploy("maintenance", "on", code=1).stderr
    project.zddeploy()
    project.zddeploy("down")

    assert "nginx does not answer" in project.zddeploy("maintenance", "on", code=1).stderr
    project.zddeploy("up")
    assert is_off(project)
    assert answers(project, "shop.test") == "200"


@pytest.mark.skipif(not ROOT, reason="only root's nginx runs as another user")
def test_a_refused_on_leaves_the_page_of_before(project: Project) -> None:
    configure(project, service("web", **PLAIN_UNIX, host="shop.test"))
    project.zddeploy()
    project.zddeploy("maintenance", "on", "--message", "first")
    project.runtime.chmod(0o700)

    project.zddeploy("maintenance", "on", "--message", "second", code=1)

    project.runtime.chmod(0o711)
    assert "<p>first</p>" in project.get(host="shop.test")


def in_template(project: Project, other: str, lines: str) -> None:
    """Have a template whose only named server is the project's, behind one that answers everybody else."""
    template(project, f"{lines}\nlocation / {{ proxy_pass http://web; }}", other, "web")
    project.replace(
        "nginx.conf.template",
        "    server {\n        listen",
        "    server {\n        server_name shop.test;\n        listen",
    )
    configure(project, service("web", **PLAIN))
    own = (project.folder / "deploy.toml").read_text()
    nginx = f'[nginx]\ntemplate = "nginx.conf.template"\npid_file = "{project.runtime}/nginx.pid"\n'
    project.write("deploy.toml", own.replace(f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n', nginx))


def test_of_a_template_the_server_with_the_lines_is_asked(project: Project) -> None:
    other = f"server {{ listen 127.0.0.1:{project.port} default_server; return 404; }}"
    in_template(project, other, "")
    project.zddeploy()
    lines = project.zddeploy("maintenance", "on", code=2).stderr.split("deploy:\n")[1]
    project.replace("nginx.conf.template", "location / {", f"{lines}\nlocation / {{")

    refused = project.zddeploy("maintenance", "on", code=1).stderr  # it is not deployed yet
    assert "nginx does not look for" in refused
    assert answers(project, "shop.test") == "200"
    assert is_off(project)

    project.zddeploy()
    project.zddeploy("maintenance", "on")
    assert [answers(project, host) for host in ("shop.test", "x")] == ["503", "404"]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"<h1>caf\xe9", "is no page: it is not UTF-8"),
        (b"x" * (10 * 1024**2 + 1), "is larger than 10 MB"),
    ],
    ids=["binary", "huge"],
)
def test_what_is_no_page_is_refused(project: Project, page: bytes, words: str) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    (project.folder / "page").write_bytes(page)

    assert f"page {words}" in project.zddeploy("maintenance", "on", "--page", "page", code=2).stderr
    assert is_off(project)


def included(project: Project, **web: object) -> None:
    """Have the upstreams in a file for an nginx that somebody else runs, here nobody at all."""
    configure(project, service("web", **PLAIN, **web))
    own = (project.folder / "deploy.toml").read_text()
    nginx = f'[nginx]\ninclude = "{project.folder}/upstreams.conf"\nreload = "true"\n'
    project.write("deploy.toml", own.replace(f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n', nginx))


def test_of_an_nginx_that_others_run_it_is_said_what_was_not_checked(project: Project) -> None:
    included(project)
    project.zddeploy(code=None)  # 5 where no nginx at all runs on the machine

    said = project.zddeploy("maintenance", "on").stdout

    assert "your server block needs (once, and a reload)" in said
    assert "not checked, since no request is known that leads there: web" in said
    assert (project.runtime / "maintenance").exists()


SITE = """\
pid PID;
error_log /dev/null;
events {}
http {
    access_log off;
    TEMPORARY
    include INCLUDE;
    server { listen 127.0.0.1:80 default_server; return 404; }
    server {
        listen 127.0.0.1:80;
        server_name shop.test;
        LINES
        location / { proxy_pass http://web; }
    }
}
"""


def port_80_is_free() -> bool:
    try:
        for port in (80, 443):
            socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not (ROOT and port_80_is_free()), reason="needs root, and ports 80 and 443 for itself")
def test_of_an_nginx_that_others_run_a_known_request_is_sent(project: Project) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx
    included(project, health_host="shop.test")
    temporary = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = SITE.replace("TEMPORARY", temporary).replace("PID", f"{project.folder}/site.pid")
    text = text.replace("INCLUDE", f"{project.folder}/upstreams.conf")
    command = f"{nginx} -p {project.folder} -c {project.folder}/site.conf"
    project.replace("deploy.toml", 'reload = "true"', f'reload = "{command} -s reload"\npid_file = "site.pid"')
    project.replace("deploy.toml", "include = ", f'binary = "{nginx}"\ninclude = ')
    project.write("site.conf", text.replace("LINES", ""))
    project.write("upstreams.conf", "upstream web { server 127.0.0.1:1; }")
    started(command)
    try:
        project.zddeploy()
        refused = project.zddeploy("maintenance", "on", code=1).stderr
        assert "nginx answers 200 and not 503 for GET / with Host shop.test" in refused
        assert is_off(project)

        lines = refused.split("reload):\n")[1]
        project.write("site.conf", text.replace("LINES", lines))
        started(f"{command} -s reload")
        eventually(lambda: "not on" not in project.zddeploy("maintenance", "on", code=None).stderr)
        # For a moment workers of the text before answer, too.
        eventually(lambda: "503" in request(80, host="shop.test").split("\r\n")[0])
    finally:
        started(f"{command} -s stop")
        eventually(lambda: not Path(project.folder, "site.pid").exists())


def started(command: str) -> None:
    assert os.spawnlp(os.P_WAIT, "sh", "sh", "-c", command) == 0
