"""A boot id that cannot be read, or is another one, is no reboot: what lives is not forgotten. Needs root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host.process import Process

from .project import (
    BIN,
    LIGHT,
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    THE_SECOND,
    WORKER,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")

RANDOM = "/proc/sys/kernel/random"
# What hides the boot id, or gives it another one, from who runs in a mount namespace.
HIDDEN = {
    "hidden": f"mount -t tmpfs tmpfs {RANDOM}",
    "subset": "mount -t proc -o subset=pid proc /proc",
    "another": f"echo 11111111-2222-3333-4444-555555555555 > boot_id; mount --bind boot_id {RANDOM}/boot_id",
}
BROKEN = "sh -c 'exit 3'"


def zddeploy(project: Project, how: str, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run zddeploy where the boot id is hidden."""
    script = f'{HIDDEN[how]} && exec "$@"'
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(BIN / "zddeploy"), *args],
        cwd=project.folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert code is None or result.returncode == code, f"exit {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def deployed(project: Project, **keys: object) -> None:
    configure(project, service("web", **keys, keep_warm="0s"))
    project.zddeploy()
    version(project, 2)


@pytest.mark.parametrize("how", HIDDEN)
def test_a_broken_version_costs_nothing_where_the_boot_id_is_no_help(project: Project, how: str) -> None:
    deployed(project, **PLAIN)
    project.replace("deploy.toml", f'"{PLAIN["run"]}"', f'"{BROKEN}"')

    with project.load(**LIGHT) as load:
        result = zddeploy(project, how, code=1)
        shown = zddeploy(project, how, "status")
        time.sleep(THE_SECOND)  # for so long nginx's pooled connections would hide that nothing leads to the app
        report = load.stop()

    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]
    assert "the keeper of web-1 answers: so it is kept" in result.stdout
    assert "deploy 1, serving" in shown.stdout
    assert project.status()["state"] == "serving"


@pytest.mark.parametrize("how", HIDDEN)
@pytest.mark.parametrize("kind", [PLAIN, PLAIN_UNIX, PLAIN_TCP], ids=["fd", "unix", "tcp"])
def test_a_good_version_replaces_what_lives_where_the_boot_id_is_no_help(
    project: Project, how: str, kind: dict[str, str]
) -> None:
    deployed(project, **kind)

    with project.load(**LIGHT) as load:
        zddeploy(project, how)
        version(project, 3)
        project.zddeploy()  # and back where it can be read
        report = load.stop()

    (assert_only_reloads_cost if kind is PLAIN_TCP else assert_nothing_lost)(report)
    eventually(lambda: "X-Release: 3\r\n" in project.get())
    assert project.status()["problems"] == []


@pytest.mark.parametrize("how", ["hidden", "another"])
@pytest.mark.parametrize("kind", [PLAIN, PLAIN_UNIX, PLAIN_TCP, WORKER], ids=["fd", "unix", "tcp", "worker"])
def test_an_app_whose_keeper_has_died_is_known_to_live(project: Project, how: str, kind: dict[str, str]) -> None:
    configure(project, service("jobs", **kind))
    project.zddeploy()
    pids = json.loads((project.runtime / "control/jobs-1.pids").read_text())
    keeper = Process(*pids["keeper"])
    keeper.signal(signal.SIGKILL)
    keeper.wait(30)
    if kind != WORKER:  # which has no nginx
        stop_nginx(project)

    zddeploy(project, how, "resume")  # changes something, and would forget what is of another boot

    assert os.readlink(project.runtime / "current") == "tables/1"
    assert Process(*pids["app"]).alive()


def test_a_reboot_is_believed_where_nothing_lives(project: Project) -> None:
    deployed(project, **PLAIN)
    project.reboot()

    result = zddeploy(project, "hidden", "up")

    assert "nothing in it runs, as after a reboot" in result.stdout
    eventually(lambda: "X-Release: 2\r\n" in project.get())
    assert project.status()["problems"] == []


def test_where_proc_is_of_other_processes_nothing_is_touched(project: Project) -> None:
    """In a new namespace of process numbers with the old /proc, every process would seem to be dead."""
    deployed(project, **PLAIN)

    with project.load(**LIGHT) as load:
        for command in ("deploy", "status", "recover", "down"):
            words = ["unshare", "--pid", "--fork", str(BIN / "zddeploy"), command]
            refused = subprocess.run(words, cwd=project.folder, capture_output=True, text=True, check=False)
            assert refused.returncode == 2, refused.stderr
            assert "/proc does not show this very process" in refused.stderr
        report = load.stop()

    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]


def stop_nginx(project: Project) -> None:
    master = Process.find(int(Path(project.runtime / "nginx.pid").read_text()))
    assert master is not None
    master.signal(signal.SIGTERM)
    master.wait(30)
