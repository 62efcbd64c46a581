"""Where a unit or a container restricts zdd: it works, or says beforehand what to change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keeper.instance import end
from zdd.host.process import Process

from .foreign_nginx import WORKERS, Foreign
from .project import BIN, LIGHT, PLAIN, PLAIN_TCP, Project, assert_nothing_lost, configure, service, version
from .test_unknown_user import give
from .test_unknown_user import zddeploy as by_unknown_user

needs_namespaces = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
NO_NETLINK = (sys.executable, str(Path(__file__).with_name("no_netlink.py")))


def run(project: Project, wrapper: tuple[str, ...], *args: str, code: int = 0) -> str:
    """Run zddeploy by a wrapper that restricts it, in / as a unit does; returns what it says."""
    done = subprocess.run(
        [*wrapper, str(BIN / "zddeploy"), *args, "-c", str(project.folder / "deploy.toml")],
        cwd="/",
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert "mistake in zdd" not in done.stderr
    return done.stdout + done.stderr


def mounted(*commands: str) -> tuple[str, ...]:
    """Return a wrapper that runs these commands in a mount namespace before."""
    return ("unshare", "-m", "sh", "-c", " && ".join([*commands, 'exec "$@"']), "sh")


def read_only(folder: Path) -> tuple[str, ...]:
    return mounted(f"mount --bind {folder} {folder}", f"mount -o remount,bind,ro {folder}")


@pytest.mark.parametrize("kind", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
def test_without_netlink_a_deploy_is_refused_and_the_units_setting_is_named(
    project: Project, kind: dict[str, str]
) -> None:
    configure(project, service("web", **kind, health_path="/", keep_warm="0s"))
    project.zddeploy()

    for command in ("deploy", "restart", "check"):
        assert "add AF_NETLINK to RestrictAddressFamilies=" in run(project, NO_NETLINK, command, code=2)
    status = run(project, NO_NETLINK, "status")
    assert "shop: deploy 1, serving" in status
    assert "connections are unknown: the kernel does not show sockets here" in status
    assert "X-Release: 1\r\n" in project.get()
    assert "shop is down" in run(project, NO_NETLINK, "down")


def test_without_netlink_down_leaves_alone_the_workers_that_another_nginx_has_left(project: Project) -> None:
    other = Foreign(project)
    master = Process.find(other.start())
    left = [found for pid in other.workers() if (found := Process.find(pid))]
    assert master
    assert len(left) == WORKERS
    end(master)
    configure(project, WEB)
    project.zddeploy()

    assert "shop is down" in run(project, NO_NETLINK, "down")

    assert all(worker.alive() for worker in left)
    for worker in left:
        end(worker)


@needs_namespaces
def test_with_only_the_projects_folder_writable_it_deploys(project: Project) -> None:
    """ProtectSystem=strict with ReadWritePaths=: there is no folder for temporary files."""
    configure(project, WEB)
    project.zddeploy()
    strict = mounted(f"mount --bind {project.folder} {project.folder}", "mount -o remount,bind,ro /")
    version(project, 2)

    with project.load(**LIGHT) as load:
        assert "0 errors" in run(project, strict, "check")
        assert "serves deploy 2" in run(project, strict)
        report = load.stop()

    assert_nothing_lost(report)
    assert "X-Release: 2\r\n" in project.get()


@needs_namespaces
def test_where_proc_shows_processes_only_check_knows_what_it_cannot_know(project: Project) -> None:
    """ProcSubset=pid hides /proc/meminfo, /proc/sys and /proc/stat."""
    configure(project, WEB)
    project.zddeploy()
    subset = mounted("mount -t proc -o subset=pid proc /proc")

    checked = run(project, subset, "check")

    assert "memory for two versions: unknown" in checked
    assert "somaxconn)" not in checked
    assert "MB are free" in checked  # of the disk
    assert "0 errors" in checked


@needs_namespaces
def test_a_read_only_state_folder_is_named_and_hinders_no_operation(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    wrapper = read_only(project.state)

    for command in ("deploy", "restart", "check"):
        said = run(project, wrapper, command, code=2)
        assert f"{project.state} is read-only here" in said
        assert f"ReadWritePaths={project.state}" in said
        assert "state_dir" in said
    for command in ("status", "pause --max 1s", "resume", "maintenance on", "maintenance off", "recover", "down"):
        run(project, wrapper, *command.split())
    assert f"{project.state} is read-only here" in run(project, wrapper, "down", code=2)  # it would have to record R


@needs_namespaces
def test_a_read_only_runtime_folder_is_named(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    wrapper = read_only(project.runtime)

    for command in ("deploy", "check", "pause", "maintenance on", "down"):
        said = run(project, wrapper, *command.split(), code=2)
        assert f"{project.runtime} is read-only here" in said
        assert "runtime_dir" in said
    assert "shop: deploy 1, serving" in run(project, wrapper, "status")


@needs_namespaces
@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=20"])
def test_check_sees_a_full_runtime_folder(project: Project, options: str) -> None:
    configure(project, WEB)
    project.zddeploy()
    project.zddeploy("down")
    project.runtime.mkdir(exist_ok=True)

    checked = run(project, mounted(f"mount -t tmpfs -o {options} tmpfs {project.runtime}"), "check", code=2)

    assert f"{project.runtime}: its file system is full" in checked


@needs_namespaces
def test_a_state_that_cannot_be_read_is_named_with_what_mends_it(project: Project) -> None:
    configure(project, WEB.replace("python", "/usr/bin/python3"))
    give(project)
    by_unknown_user(project)
    for path in (project.state / "history.jsonl", project.state / "deploys", project.runtime / "tables"):
        mode = path.stat().st_mode
        path.chmod(0)

        for command in ("status", "deploy", "check", "down"):
            said = by_unknown_user(project, command, code=2)
            assert f"{path} cannot be read: it belongs to 4321, mode 0" in said
            assert "sudo chown -R 4321" in said

        path.chmod(mode)
    by_unknown_user(project, "down")


@needs_namespaces
@pytest.mark.parametrize("what", ["runtime", "state"])
def test_a_folder_that_a_unit_has_of_its_own_is_named_and_nothing_is_said_to_be_done(
    project: Project, what: str
) -> None:
    """TemporaryFileSystem=, PrivateTmp=: what runs, and the next zddeploy, see another folder."""
    configure(project, WEB)
    project.zddeploy()
    folder = getattr(project, what)
    own = mounted(f"mount -t tmpfs tmpfs {folder}")

    commands = ["deploy", "restart", "check"] + (["up", "down", "recover"] if what == "runtime" else [])
    for command in commands:
        said = run(project, own, command, code=2)
        assert f"{folder} is not the one that the rest of the machine sees" in said
        assert "PrivateTmp=no in that unit; or BindPaths=" in said
    if what == "runtime":
        assert f"! {folder} is not the one" in run(project, own, "status", code=1)
    assert "shop: deploy 1, serving" in project.zddeploy("status").stdout
    assert "X-Release: 1\r\n" in project.get()


@needs_namespaces
def test_a_unit_that_sees_the_projects_folders_may_hide_others(project: Project) -> None:
    configure(project, WEB)
    own = mounted("mount -t tmpfs tmpfs /mnt", "mount -t tmpfs tmpfs /var/tmp")

    assert "serves deploy 1" in run(project, own)
    assert "0 errors" in run(project, own, "check")
    assert "shop: deploy 1, serving" in project.zddeploy("status").stdout
