"""Who may connect to an instance's socket: nginx's workers and the app's own user, and nobody else. Needs root."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import zdd
from tests.waiting import eventually
from zdd.host import process
from zdd.instances.environment import USER_NEEDS

from .project import BIN, GRANIAN, WORKER, Project, configure, service

PYTHON = "/usr/bin/python3"  # one that every user may run
NGINX = "www-data"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run services as other users"),
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run"),
]

PLAIN = {"run": f"{PYTHON} -S plain.py {{fd}}"}
PLAIN_UNIX = {"run": f"{PYTHON} -S plain.py {{socket}}", "socket": "unix"}
PACKAGES = sysconfig.get_path("purelib")
CONNECT = "import socket, sys; sys.exit(socket.socket(socket.AF_UNIX).connect_ex(sys.argv[1]))"
READ = "import os, sys; os.listdir(sys.argv[1])"


@pytest.mark.parametrize("run", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_an_app_runs_as_its_user_and_only_nginx_gets_to_it(project: Project, run: dict[str, str]) -> None:
    project.write("who", "").chmod(0o666)
    configure(project, service("web", **run, user="nobody", before_start="id -un > who; id -Gn >> who"))
    project.zddeploy()
    nobody = pwd.getpwnam("nobody")
    found = about(project)

    assert found["uid"] == nobody.pw_uid
    assert set(found["groups"]) == {nobody.pw_gid}
    assert (found["env"]["USER"], found["env"]["HOME"]) == ("nobody", nobody.pw_dir)
    assert (project.folder / "who").read_text() == "nobody\nnogroup\n"
    slot = project.runtime / "current/web/00"
    for path in (slot, project.runtime / "instances/web-1/keep"):
        assert connecting(NGINX, path) == 0
        assert connecting("daemon", path) == errno.EACCES
    assert not may_list("daemon", project.runtime / "control")
    assert not may_list("daemon", project.runtime / "instances")


def test_a_socket_that_its_server_opens_to_nobody_is_opened_to_nginx(project: Project) -> None:
    """At the usual umask granian makes it 0755, which lets only its owner connect."""
    configure(project, service("web", **GRANIAN, health_path="/"))
    project.zddeploy()

    assert "version 1" in project.get("/")
    assert connecting("daemon", project.runtime / "current/web/00") == errno.EACCES


def test_nginx_may_run_as_any_user(project: Project) -> None:
    configure(project, service("web", **PLAIN), nginx='user = "games"\n')
    project.zddeploy()
    slot = project.runtime / "current/web/00"
    master = int((project.runtime / "nginx.pid").read_text())
    workers = [pid for pid, parent in process.parents().items() if parent == master]

    assert {process.user_id(pid) for pid in workers} == {pwd.getpwnam("games").pw_uid}
    assert "web 1" in project.get("/")
    assert (connecting("games", slot), connecting(NGINX, slot)) == (0, errno.EACCES)


def test_an_app_that_is_restarted_is_still_nginxs_alone(project: Project) -> None:
    configure(project, service("web", **PLAIN_UNIX, user="nobody"))
    project.zddeploy()
    os.kill(project.serving()["web-1"], 9)
    eventually(lambda: project.instances()["web-1"]["restarts"] == 1)
    slot = project.runtime / "current/web/00"
    eventually(lambda: connecting(NGINX, slot) == 0)
    assert connecting("daemon", slot) == errno.EACCES


def test_a_root_that_cannot_link_other_users_sockets_is_told_before_anything_is_touched(project: Project) -> None:
    """A container's root may lack CAP_FOWNER."""
    configure(project, service("web", **PLAIN_UNIX, user="nobody"))
    weak = ["setpriv", "--bounding-set", "-fowner", "--inh-caps", "-fowner", str(BIN / "zddeploy")]

    for command in ("check", "deploy"):
        done = subprocess.run([*weak, command], cwd=project.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        said = re.sub(r"\s+", " ", done.stdout + done.stderr)
        assert "web: a socket of user nobody cannot be linked; we are root without CAP_FOWNER" in said
    assert list(project.state.glob("logs/*")) == []


def test_services_without_a_user_run_as_root_with_one_notice(project: Project) -> None:
    configure(
        project,
        service("web", **PLAIN),
        service("api", **PLAIN, path="/api", user="nobody"),
        service("jobs", **WORKER, instances=2),
    )
    said = project.zddeploy().stdout

    assert [line for line in said.splitlines() if "root" in line] == [f"web, jobs: running as root; {USER_NEEDS}"]
    assert about(project)["uid"] == 0


def test_a_service_may_have_a_group_of_its_own(project: Project) -> None:
    configure(project, service("web", **PLAIN, user="nobody", group="games"))
    project.zddeploy()
    games = 60

    assert games in about(project)["groups"]


def test_an_ordinary_user_deploys_all_by_himself(project: Project) -> None:
    """His nginx, his apps: as him."""
    if as_user("daemon", PYTHON, "-c", "import zdd.cli.deploy").returncode:
        pytest.skip("other users cannot read our packages")
    configure(project, service("web", **PLAIN))
    daemon = pwd.getpwnam("daemon")
    for path in (project.folder, *project.folder.rglob("*")):
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
    try:
        said = as_user("daemon", PYTHON, "-m", "zdd", folder=project.folder)
        assert said.returncode == 0, said.stdout + said.stderr
        assert "root" not in said.stdout
        assert about(project)["uid"] == daemon.pw_uid
        assert connecting("nobody", project.runtime / "current/web/00") == errno.EACCES
        refused = project.zddeploy(code=2).stderr
        assert "belongs to daemon, and you are root" in refused
        assert "sudo -u daemon zddeploy" in refused
    finally:
        as_user("daemon", PYTHON, "-m", "zdd", "down", folder=project.folder)


def connecting(user: str, path: Path) -> int:
    """The error number that the user gets who connects there, 0 for none."""
    return as_user(user, PYTHON, "-I", "-S", "-c", CONNECT, path).returncode


def may_list(user: str, folder: Path) -> bool:
    return as_user(user, PYTHON, "-I", "-S", "-c", READ, folder).returncode == 0


def as_user(user: str, *argv: str | Path, folder: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    found = pwd.getpwnam(user)
    return subprocess.run(
        argv,
        user=found.pw_uid,
        group=found.pw_gid,
        extra_groups=[],
        cwd=folder,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PYTHONPATH": f"{Path(zdd.__file__).parents[1]}:{PACKAGES}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def about(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.get("/about").partition("\r\n\r\n")[2])
    return found
