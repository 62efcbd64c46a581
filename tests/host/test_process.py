from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import descent, proc, process, usage
from zdd.host.process import Process

SLEEP = ["sleep", "60"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal,time; signal.signal(15, signal.SIG_IGN); print(1,flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP) as child:
        yield child
        child.kill()


def test_a_process_is_known_by_number_and_start_time(sleeper: subprocess.Popen[bytes]) -> None:
    found = Process.find(sleeper.pid)

    assert found is not None
    assert found.alive()
    assert not Process(found.pid, found.start_time - 1).alive()
    assert abs(found.started() - time.time()) < 60


def test_a_recycled_number_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    found = Process.find(sleeper.pid)
    assert found is not None
    impostor = Process(found.pid, found.start_time + 1)

    assert not impostor.signal(signal.SIGKILL)
    assert impostor.wait(0)
    assert sleeper.poll() is None


def test_a_zombie_does_not_live(sleeper: subprocess.Popen[bytes]) -> None:
    found = Process.find(sleeper.pid)
    assert found is not None

    found.signal(signal.SIGKILL)

    assert found.wait(30)
    assert Process.find(sleeper.pid) is None  # though nobody has waited for it yet
    assert not found.signal(signal.SIGKILL)


def test_what_ignores_the_signal_is_killed() -> None:
    with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        found = Process.find(child.pid)
        assert found is not None

        process.end([found], signal.SIGTERM, 0.1, time.monotonic)

        assert child.wait(30) == -signal.SIGKILL


def test_descendants_are_found_through_every_generation() -> None:
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 60 & echo; wait' & wait"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(1)

        below = process.descendants(child.pid)
        while len(below) < 2 or "sleep 60" not in process.title(below[1])[:8]:  # it is forked before it is run
            below = process.descendants(child.pid)

        assert [process.title(pid).split()[0] for pid in below] == ["sh", "sleep"]
        memory, cpu = usage.use_of_trees([child.pid])[child.pid]
        assert memory > usage.memory_bytes(child.pid)
        assert cpu >= usage.cpu_seconds(child.pid)
        for pid in [child.pid, *below]:
            if found := Process.find(pid):
                found.signal(signal.SIGKILL)


def test_a_search_below_one_process_reads_nothing_of_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    if not descent.is_listed():
        pytest.skip("this kernel does not list children")
    looked, listed = list[str](), os.listdir

    def listdir(path: str) -> list[str]:
        looked.append(path)
        return listed(path)

    monkeypatch.setattr(os, "listdir", listdir)
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in process.descendants(os.getpid())
        assert child.pid in process.children(os.getpid())
        assert "/proc" not in looked
        child.kill()


def test_a_child_that_one_look_misses_is_found_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[1, 3], [2, 3], [2, 3]])  # 1 ends while it is looked: the list of the kernel then lacks 2
    monkeypatch.setattr(descent, "_children", lambda pid: next(looks) if pid == 99 else [])

    assert descent.children(99) == [2, 3]


def test_a_process_that_its_parent_leaves_to_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before: dict[int, list[int]] = {99: [1], 1: []}  # the parent of 2 has ended, and 99 has not adopted it yet
    after: dict[int, list[int]] = {99: [1, 2]}
    looks = iter([before[99], before[1], *3 * [after[99], [], []]])
    monkeypatch.setattr(descent, "_children", lambda _: next(looks))

    assert descent.below(99) == [1, 2]


def test_without_the_lists_of_the_kernel_all_processes_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "is_listed", lambda: False)
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in process.descendants(os.getpid())
        assert child.pid in process.children(os.getpid())
        child.kill()


def test_a_daemon_is_found_by_the_environment_it_was_started_with() -> None:
    mark = f"test-{os.getpid()}"
    script = "setsid sleep 60 >/dev/null 2>&1 &"
    subprocess.run(["sh", "-c", script], env=os.environ | {"ZDD_TEST": mark}, check=True)

    found: list[int] = []
    while len(found) != 1 or not process.title(found[0]).startswith("sleep"):  # in exec(2) it shows no environment
        found = process.with_environment("ZDD_TEST", mark)

    assert process.environment(found[0])["ZDD_TEST"] == mark
    daemon = Process.find(found[0])
    assert daemon is not None
    daemon.signal(signal.SIGKILL)
    assert daemon.wait(30)


def test_the_name_of_a_command_may_hold_anything(tmp_path_factory: pytest.TempPathFactory) -> None:
    strange = tmp_path_factory.mktemp("x") / "a) R 1 (b"
    strange.symlink_to("/bin/sleep")
    with subprocess.Popen([str(strange), "60"]) as child:
        found = Process.find(child.pid)
        child.kill()

    assert found is not None
    assert found.start_time > 0


def test_of_a_file_of_proc_that_seems_endless_only_the_beginning_is_read(tmp_path: Path) -> None:
    """A process may let its command line reach over all its memory: PR_SET_MM_MAP, prctl(2)."""
    with (tmp_path / "cmdline").open("wb") as file:
        file.truncate(1 << 30)

    assert len(proc.read(str(tmp_path / "cmdline"))) == 16 << 20
