"""What can be known of another process's namespaces, by a process that has some of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.host import namespaces, process

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")
NO_RIGHTS = [
    "setpriv",
    "--reuid",
    "nobody",
    "--regid",
    "nogroup",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
]


@contextmanager
def within(*unshare: str, first: str = "") -> Iterator[int]:
    """Run a process in namespaces of its own; yields its number."""
    argv = ["unshare", *unshare, "sh", "-c", f"{first or 'true'} && echo && exec cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == b"\n"
        eventually(lambda: process.title(child.pid) == "cat")
        yield child.pid
        child.stdin.close()


@contextmanager
def no_links(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What an ordinary user sees of root's process: no links of its namespaces, no root."""
    with monkeypatch.context() as patch:
        patch.setattr(namespaces, "_namespace", lambda pid, kind: None)
        yield


def test_a_process_beside_us_shares_all_with_us(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert namespaces.shares_network(child.pid) is True
        assert namespaces.sees(child.pid, str(tmp_path)) is True
        assert namespaces.root(child.pid) == ""
        assert child.stdin
        child.stdin.close()


@needs_root
def test_another_network_is_known_by_its_link_or_by_a_socket_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with within("-n") as pid:
        assert namespaces.shares_network(pid) is False
        with no_links(monkeypatch):
            assert namespaces.shares_network(pid) is False
            assert namespaces.shares_network(os.getpid()) is True


@needs_root
def test_a_folder_that_something_covers_there_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    covered, open_ = tmp_path / "a folder", tmp_path / "open"
    covered.mkdir()
    open_.mkdir()
    with within("-m", first=f"mount --make-rprivate / && mount -t tmpfs none '{covered}'") as pid:
        for look in ("by its root", "by its mounts"):
            if look == "by its mounts":
                monkeypatch.setattr(os, "stat", as_a_stranger)
            assert namespaces.sees(pid, str(covered)) is False
            assert namespaces.sees(pid, str(covered / "not" / "yet")) is False
            assert namespaces.sees(pid, str(open_)) is True
        monkeypatch.undo()
        assert namespaces.root(pid) == f"/proc/{pid}/root"


STAT = os.stat


def as_a_stranger(path: str, **more: Any) -> os.stat_result:
    """stat(2) of an ordinary user, to whom root's process does not show its root."""
    if str(path).startswith("/proc/") and "/root" in str(path):
        raise PermissionError
    return STAT(path, **more)


def test_of_a_process_that_is_gone_nothing_can_be_told(tmp_path: Path) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    pid = int(gone.stdout)

    assert namespaces.shares_network(pid) is None
    assert namespaces.sees(pid, str(tmp_path)) is None
    assert not namespaces.is_hidden(pid)


def test_nor_of_one_that_has_ended_and_is_still_listed(tmp_path: Path) -> None:
    """The kernel takes its namespaces away before its number."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert child.stdin
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert namespaces.shares_network(child.pid) is None
        assert namespaces.sees(child.pid, str(tmp_path)) is None
        assert namespaces.root(child.pid) == ""


@needs_root
def test_hidepid_hides_other_users_processes(tmp_path: Path) -> None:
    """Tried by a Python of the system's own, which other users may run."""
    source = Path(namespaces.__file__).parents[2]
    ask = (
        f"import sys; sys.path.insert(0, {str(source)!r}); from zdd.host import namespaces as n; "
        f"print(n.hides_processes(), n.is_hidden({os.getpid()}))"
    )
    argv = [*NO_RIGHTS, "/usr/bin/python3", "-S", "-c", ask]
    try:
        seen = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("other users cannot run this source")
    hide = 'mount --make-rprivate / && mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    hidden = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide, "sh", *argv], capture_output=True, text=True, check=True
    )

    assert seen.stdout.split() == ["False", "False"]
    assert hidden.stdout.split() == ["True", "True"]
