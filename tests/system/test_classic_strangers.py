"""
Pid and port files where root deploys and another user can write: what that user plants there leads root nowhere.

The attacks are made as that user. Everywhere else these files are read as ever: tests/classic_contract.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.host.process import Process

from .classic import WEB, ClassicProject
from .project import leftovers

PYTHON = "/usr/bin/python3"  # one that every user may run
STRANGER = "nobody"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the attacks are on root"),
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run"),
]

LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"


@pytest.fixture
def shop(classic: ClassicProject) -> ClassicProject:
    """A project whose pid files lie in `run`, a folder of the app's user; version 1 serves, by root's own server."""
    share(classic)
    classic.write("classic_web.py", WEB.read_text())
    classic.write("run/VERSION", "1")
    ours(classic)
    classic.zddeploy()
    return classic


def share(project: ClassicProject, owner: str = STRANGER, mode: int = 0o755) -> None:
    run = project.folder / "run"
    run.mkdir(exist_ok=True)
    run.chmod(mode)
    os.chown(run, pwd.getpwnam(owner).pw_uid, -1)


def ours(project: ClassicProject, **keys: str) -> None:
    """Have the service run in the shared folder."""
    own = {"cwd": "run", "pid_file": "run/web.pid", "start": server(project), "start_timeout": "15"}
    project.configure(web=own | keys)


def server(project: ClassicProject) -> str:
    return f"{PYTHON} -I -S {project.folder}/classic_web.py web"


def by_stranger(commands: str, user: str = STRANGER) -> str:
    """A start command whose app is this other user's, and does this."""
    return f"su {user} -s /bin/sh -c '{commands}'"


def plant(project: ClassicProject, commands: str, user: str = STRANGER) -> None:
    """Have the other user do this in the shared folder."""
    subprocess.run(["sh", "-ec", commands], cwd=project.folder / "run", user=user, group=user_group(user), check=True)


def user_group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


@contextlib.contextmanager
def listener(port: int) -> Iterator[int]:
    """Somebody else's service, root's, which must be alive in the end."""
    with subprocess.Popen([PYTHON, "-I", "-S", "-c", LISTEN, str(port)]) as child:
        try:
            eventually(lambda: f"0100007F:{port:04X} " in Path("/proc/net/tcp").read_text())
            yield child.pid
            assert child.poll() is None, "somebody else's process was ended"
        finally:
            child.kill()


def serving(project: ClassicProject) -> tuple[str, list[int]]:
    """What nginx reads, and the instances that serve."""
    return (project.folder / "nginx.conf").read_text(), sorted(project.serving().values())


def assert_refused(project: ClassicProject, cause: str, before: tuple[str, list[int]]) -> None:
    """The deploy fails for this cause, and what served before serves on."""
    result = project.zddeploy(code=1, timeout=100)

    assert cause in result.stderr
    assert "another user can" in result.stderr
    assert "deploy 1 still serves" in result.stderr
    assert "web 1" in project.get()
    assert serving(project) == before


# What stands where a pid or port file should


PLANTS = {
    "mkfifo {}": "is a FIFO",
    "ln -s /dev/zero {}": "is a link",
    "ln -s ../secret {}": "is a link",
    "mkdir {}": "is a folder",
    "head -c 1000000 /dev/zero | tr \\\\0 7 > {}": "is more than 32 bytes long",
}


@pytest.mark.parametrize("name", ["web.pid", "$$.port"])
@pytest.mark.parametrize("commands", PLANTS)
def test_what_an_app_plants_instead_of_a_number_is_refused_at_once(
    shop: ClassicProject, commands: str, name: str
) -> None:
    shop.write("secret", "12345\n").chmod(0o600)
    before = serving(shop)
    pid_file = "" if name == "web.pid" else "echo $$ > web.pid;"
    ours(shop, start=by_stranger(f"{commands.format(name)};{pid_file} exec sleep 600"))

    assert_refused(shop, PLANTS[commands], before)


@pytest.mark.parametrize("commands", ["mkfifo {0}", "ln -s /dev/zero {0}", "ln -s ../secret {0}"])
def test_what_was_planted_before_the_start_is_neither_read_nor_copied(shop: ClassicProject, commands: str) -> None:
    """root would put it back, readable by all, when the deploy is undone."""
    secret = shop.write("secret", "the secret of root\n")
    secret.chmod(0o600)
    names = ("web.pid", "web.current.pid", "web.previous.pid")
    ours(shop, start="sh -c 'exit 1'")

    plant(shop, "; ".join(f"rm -f {name}; {commands.format(name)}" for name in names))
    shop.zddeploy(code=1, timeout=100)

    plant(shop, "for file in *; do if test -f $file && grep -q secret $file; then exit 9; fi; done")
    assert secret.read_text() == "the secret of root\n"
    ours(shop)
    shop.write("run/VERSION", "2")
    shop.zddeploy(timeout=100)
    assert "web 2" in shop.get()


def test_a_folder_that_was_planted_fails_the_deploy_and_not_its_undoing(shop: ClassicProject) -> None:
    before = serving(shop)
    plant(shop, "rm -f web.previous.pid; mkdir -p web.previous.pid/full")

    assert_refused(shop, "web.previous.pid cannot be replaced: Is a directory", before)


def test_a_link_planted_on_the_way_leads_root_to_no_other_folder(shop: ClassicProject) -> None:
    vault = shop.write("vault/web.pid", "1\n").parent
    vault.chmod(0o700)
    before = serving(shop)
    plant(shop, "ln -s ../vault deep")
    ours(shop, pid_file="run/deep/web.pid")

    assert_refused(shop, "deep is a link on the way", before)
    assert [(path.name, path.read_text()) for path in vault.iterdir()] == [("web.pid", "1\n")]


# What the numbers say


def test_somebody_elses_process_is_neither_led_to_nor_stopped(shop: ClassicProject) -> None:
    before, port = serving(shop), free_port()
    with listener(port) as victim:
        files = f"rm -f web.pid; echo {victim} > web.pid; echo {port} > {victim}.port"
        ours(shop, start=by_stranger(f"{files}; exec sleep 600"), start_timeout="1")
        assert_refused(shop, "but it ran before the start", before)

        ours(shop)
        plant(shop, files)
        for _ in range(3):
            shop.zddeploy()


def test_somebody_elses_port_is_not_led_to(shop: ClassicProject) -> None:
    before, port = serving(shop), free_port()
    with listener(port):
        lies = f"echo {port} > $$.port; echo $$ > web.pid; exec sleep 600"
        ours(shop, start=by_stranger(lies), start_timeout="1")

        assert_refused(shop, f"but it does not listen on port {port}", before)


def test_a_number_that_is_no_port_is_none(shop: ClassicProject) -> None:
    before = serving(shop)
    ours(shop, start=by_stranger("echo 99999 > $$.port; echo $$ > web.pid; exec sleep 600"), start_timeout="1")

    result = shop.zddeploy(code=1)

    assert "no port number in" in result.stderr
    assert serving(shop) == before


@pytest.mark.parametrize("author", [STRANGER, "root"])
def test_files_alone_make_nobody_an_instance_of_before(classic: ClassicProject, author: str) -> None:
    """Files of root's can be renamed by who owns their folder, and zdd itself writes what pid files say."""
    share(classic)
    classic.write("classic_web.py", WEB.read_text())
    classic.write("run/VERSION", "1")
    ours(classic)
    port = free_port()
    with listener(port) as victim:
        plant(classic, f"echo {victim} > web.pid; echo {port} > {victim}.port", author)

        for _ in range(2):
            classic.zddeploy()

        assert "web 1" in classic.get()
        classic.zddeploy("down")


def test_in_a_folder_that_all_can_write_another_user_cannot_pass_for_the_app(shop: ClassicProject) -> None:
    """It knows ZDD_INSTANCE, which can be guessed, and listens where it says."""
    share(shop, "root", 0o777)
    before = serving(shop)
    as_if = f"env -i ZDD_INSTANCE=$ZDD_INSTANCE {server(shop)}"
    shop.write("pass.sh", f"su games -s /bin/sh -c '{as_if}' &\nexec sleep 600\n")
    ours(shop, start=f"sh {shop.folder}/pass.sh", start_timeout="3")

    assert_refused(shop, "but it is not a process of the user who wrote that", before)


# nginx's own pid file


def test_a_pid_file_of_nginx_in_a_shared_folder_names_our_nginx_or_nobody(classic: ClassicProject) -> None:
    share(classic)
    classic.configure(nginx={"pid_file": "run/nginx.pid"})
    classic.zddeploy()
    master = int((classic.folder / "run/nginx.pid").read_text())
    assert classic.status()["nginx"]["pid"] == master
    conf = classic.folder / "nginx.conf"
    title = f"nginx: master process nginx -p {classic.folder} -c {conf}"
    command = ["bash", "-c", f'exec -a "{title}" cat']
    with subprocess.Popen(command, user=STRANGER, stdin=subprocess.PIPE) as fake:
        eventually(lambda: Path(f"/proc/{fake.pid}/cmdline").read_bytes().startswith(b"nginx: "))
        for commands in (f"echo {fake.pid} > nginx.pid", "mkfifo nginx.pid", "ln -s ../nginx.conf nginx.pid"):
            plant(classic, f"rm -f nginx.pid; {commands}")
            assert classic.status()["nginx"]["pid"] is None

        plant(classic, f"rm -f nginx.pid; echo {master} > nginx.pid")
        classic.zddeploy()
        assert int((classic.folder / "run/nginx.pid").read_text()) == master
        assert fake.poll() is None


# Who is honest


@pytest.mark.parametrize("start", ["exec {}", "env -i PATH=/usr/bin:/bin {} &"], ids=["marked", "without environment"])
def test_an_app_of_that_user_is_deployed_and_stopped_as_ever(shop: ClassicProject, start: str) -> None:
    ours(shop, start=by_stranger(start.format(server(shop))))
    old = None
    for version in "234":
        shop.write("run/VERSION", version)
        shop.zddeploy()
        assert f"web {version}" in shop.get()
        if old:
            assert int((shop.folder / "run/web.previous.pid").read_text()) == old
            gone(old)
        old = int((shop.folder / "run/web.pid").read_text())
        assert int((shop.folder / "run/web.current.pid").read_text()) == old


def test_an_app_of_that_user_that_an_earlier_zdd_left_serving_is_taken_over(classic: ClassicProject) -> None:
    share(classic)
    classic.write("classic_web.py", WEB.read_text())
    classic.write("run/VERSION", "1")
    ours(classic)
    command = server(classic).split()
    with subprocess.Popen(command, cwd=classic.folder / "run", user=STRANGER, stdout=subprocess.DEVNULL) as old:
        eventually((classic.folder / "run/web.pid").exists)

        classic.zddeploy()

        assert int((classic.folder / "run/web.previous.pid").read_text()) == old.pid
        gone(old.pid)


def gone(pid: int) -> None:
    eventually(lambda: Process.find(pid) is None)


def test_down_leaves_nothing_of_what_was_started(shop: ClassicProject) -> None:
    ours(shop, start=by_stranger(f"env -i {server(shop)} &"))
    shop.zddeploy()

    shop.zddeploy("down")

    assert leftovers(shop.folder) == []
    assert not list((shop.folder / "run").glob("*.p*"))
