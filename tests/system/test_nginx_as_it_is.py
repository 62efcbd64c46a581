"""
nginx as people have it, deployed at 200 requests a second: namespaces, replaced programs, texts of all shapes.

The names H3, X6 to X16 are those of reports from real life.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

import zdd
from zdd.load import Load, Spec
from zdd.nginx.process.binary import packaged

from .at_load import ANSWERS, ANSWERS_TCP, BUSY, TOO_LARGE, answers, assert_switched, behind_template, deploy_at_load
from .foreign_nginx import CONF, Foreign, configured, said, started
from .project import (
    MIXED,
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

pytestmark = pytest.mark.usefixtures("each_nginx")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces and run workers as others")
BOTH = pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
WEB = {"health_host": "www.test", "health_path": "/"}


@ROOT
def test_an_nginx_in_another_network_loses_nothing(project: Project, foreign: Foreign) -> None:
    """X6: keepers counted in their own namespace, where nobody is ever connected."""
    foreign.start(within=["unshare", "-n"])
    subprocess.run(["nsenter", "-t", str(foreign.master), "-n", "ip", "link", "set", "lo", "up"], check=True)
    configured(project, foreign, pid_file=False)
    project.zddeploy()
    path = project.folder / "site.sock"  # a socket's path leads there from any network
    foreign.lead(site=f"listen unix:{path};")
    version(project, 2)

    with Load(Spec(f"unix:{path}", MIXED, record="X-Release", timeout=60, **BUSY)) as load:
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]


@ROOT
def test_one_that_calls_itself_angie_is_known_as_well(project: Project, foreign: Foreign) -> None:
    """X16: its processes were not seen. Angie is made of nginx; here nginx has the other name in its titles."""
    program = Path(foreign.program)
    program.write_bytes(program.read_bytes().replace(b"nginx: ", b"angie: "))
    foreign.start()
    configured(project, foreign, pid_file=False, run=PLAIN_TCP, **WEB)
    project.zddeploy()
    foreign.lead(site="server_name www.test;")
    version(project, 2)

    with project.load(host="www.test", **BUSY) as load:
        events = project.events()
        report = load.stop()

    assert (events[-1]["exit"], events[-1]["unproved"]) == (0, [])
    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]
    assert project.status()["nginx"]["pid"] == foreign.master


@ROOT
def test_a_service_that_moves_to_a_socket_nginx_cannot_see_is_refused(project: Project, foreign: Foreign) -> None:
    """X9: nginx has another mount namespace, where the folder of the sockets is empty."""
    runtime = project.runtime
    runtime.mkdir(mode=0o711)
    hide = f'mount --make-rprivate / && mount -t tmpfs none {runtime} && exec "$@"'
    foreign.start(within=["unshare", "-m", "sh", "-c", hide, "sh"])
    configured(project, foreign, run=PLAIN_TCP)
    project.zddeploy()
    foreign.lead()
    project.replace("deploy.toml", 'run = "python -S plain.py {port}"', 'run = "python -S plain.py {fd}"')
    project.replace("deploy.toml", 'socket = "tcp"', 'socket = "fd"')
    version(project, 2)

    result, report = deploy_at_load(project, 2)

    assert f"does not see {runtime}" in result["cause"]
    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]


@BOTH
def test_a_program_that_was_replaced_on_disk_is_asked_as_long_as_it_runs(project: Project, run: dict[str, str]) -> None:
    """X12: every deploy that needs a reload was refused, with the directives that only the old program knew."""
    program = project.folder / "nginx-program"
    shutil.copy2(os.path.realpath(shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"), program)
    configure(project, service("web", **run, health_path="/"), nginx=f'binary = "{program}"\n')
    project.zddeploy()
    running = project.status()["nginx"]["version"]
    newer = project.folder / "newer"
    shutil.copy2(str(packaged()), newer)
    os.rename(newer, program)
    version(project, 2)

    result, report = deploy_at_load(project)

    assert_switched(result, report)
    assert project.status()["nginx"]["version"] == running
    assert "runs a program that was replaced on disk" in said(project, "check", code=0)


@BOTH
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("events {", "stream { server { listen 127.0.0.1:STREAM; proxy_pass 127.0.0.1:1; } }\nevents {"),
        ("user www-data;", "include FOLDER/user.conf;"),
        ("upstream web { {web.servers} }", "# upstream old { {web.servers} }\n    upstream web { {web.servers} }"),
        ("upstream web { {web.servers} }", "upstream web { ip_hash; {web.servers} }"),
        ("location / { proxy_pass http://web; }", "location / { set $up web; proxy_pass http://$up; }"),
    ],
    ids=["stream", "user", "comment", "ip_hash", "variable"],
)
def test_a_template_is_read_as_nginx_reads_it(project: Project, run: dict[str, str], old: str, new: str) -> None:
    """X13 and X16: the gate asked the port of a stream, lines fell out of comments, access was given to the wrong."""
    behind_template(project, "", service("web", **run, **WEB, instances=2 if "ip_hash" in new else 1))
    project.write("user.conf", "user www-data;\n")
    new = new.replace("STREAM", str(project.port + 1)).replace("FOLDER", str(project.folder))
    project.replace("nginx.conf.template", old, new)
    if "stream" in new:
        project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nbinary = "{packaged()}"\n')
    project.zddeploy()
    version(project, 2)

    result, report = deploy_at_load(project, host="www.test")

    assert_switched(result, report)


@pytest.mark.parametrize("run", [ANSWERS, ANSWERS_TCP], ids=["fd", "tcp"])
@pytest.mark.parametrize("status", ["503", "200"])
def test_a_page_in_place_of_an_app_that_nginx_cannot_reach_is_no_answer(
    project: Project, run: dict[str, str], status: str
) -> None:
    """X7: exit 0, and visitors got the page."""
    page = f"error_page 502 504 ={status} /down; location = /down {{ internal; return {status}; }}"
    shop = f"server {{ listen 127.0.0.1:{project.port}; server_name shop.test; {page} location / {{ PASS; }} }}"
    web = service("web", **run, health_host="shop.test", health_path="/health", keep_warm="0s")
    behind_template(project, shop.replace("PASS", "proxy_pass http://web"), web)
    answers(project, 1)
    project.zddeploy()
    answers(project, 2, health={"header": TOO_LARGE})

    result, report = deploy_at_load(project, 1, "/fine", "www.test")

    assert "healthy, but nginx answers 502 for GET /health with Host shop.test" in result["cause"]
    assert_only_reloads_cost(report)


PYTHON = "/usr/bin/python3"  # one that every user may run
SOURCE, PACKAGES = Path(zdd.__file__).parents[1], sysconfig.get_path("purelib")
SEEN = 'exec setpriv --reuid games --regid games --clear-groups "$@"'
HIDDEN = f"mount -t proc -o hidepid=2 proc /proc && {SEEN}"


@ROOT
def test_an_nginx_that_cannot_be_seen_is_not_taken_for_one_that_can(project: Project, foreign: Foreign) -> None:
    """H3, H8: with hidepid=2 the only visible nginx was taken for the right one, and access given to its user."""
    foreign.start()
    configured(project, foreign, pid_file=False, run={"run": f"{PYTHON} -S plain.py {{fd}}"})
    test = f'test = "{foreign.program} -t -q -c {foreign.main}"'
    project.replace("deploy.toml", test, "")
    project.replace("deploy.toml", f"pkill -HUP -o -F {foreign.pid_file}", f"touch {project.folder}/asked")
    second = second_nginx(project, foreign)
    shutil.chown(project.folder, "games", "games")
    for path in project.folder.rglob("*"):
        shutil.chown(path, "games", "games")
    try:
        as_games(project)
        foreign.lead()
        assert "web 1" in project.get()
        version(project, 2)
        with project.load(**BUSY) as load:
            words = as_games(project)
            report = load.stop()
        assert "not proved that visitors get this version" in words
        status = as_games(project, "status")  # H8: exits 0, since nothing is known to be wrong
        assert "shop: deploy 2, serving" in status
        assert "cannot be seen: another user's processes are hidden here" in status
        assert_nothing_lost(report)
        assert list(report.answered) == ["1", "2"]
    finally:
        as_games(project, "down")
        os.kill(second, signal.SIGTERM)


def second_nginx(project: Project, foreign: Foreign) -> int:
    """Start an nginx of the deployer's own, which has nothing to do with the project."""
    folder = project.folder / "second"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    text = CONF.replace("FOLDER/nginx", f"{folder}/nginx").replace("FOLDER", str(folder))
    conf = project.write("second/nginx.main", text.replace("user USER;", ""))
    command = ["setpriv", "--reuid", "games", "--regid", "games", "--clear-groups", foreign.program, "-c", str(conf)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return started(folder / "nginx.pid")


def as_games(project: Project, *args: str, code: int = 0, within: str = HIDDEN) -> str:
    """Run zddeploy as that user where other users' processes are hidden; returns what it says, in one line."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", within, "sh", PYTHON, "-m", "zdd", *args],
        cwd=project.folder,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PYTHONPATH": f"{SOURCE}:{PACKAGES}", "HOME": str(project.folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())
