from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process
from zdd.nginx.process import master as masters
from zdd.nginx.process import running

MASTER = running.MASTERS[0]
# A shell of that name: what it forks has the name too, until it runs another program.
FORKS = f"exec 3<&0; (read <&3) & (exec -a '{MASTER}' sh -c 'read never <&3') & read <&3"


def test_a_worker_that_has_no_title_yet_is_one_and_a_new_nginx_is_none() -> None:
    with started("/bin/bash", FORKS) as master:
        eventually(lambda: f"{MASTER} -c read never <&3" in map(process.title, children(master.pid)))

        (worker,) = running.workers(master)
        assert process.title(worker.pid) == process.title(master.pid)
        replacement = next(pid for pid in children(master.pid) if pid != worker.pid)
        assert running.is_master(master.pid)
        assert running.is_master(replacement)
        assert not running.is_master(worker.pid)
        assert worker not in masters.visible()


def test_a_worker_that_gets_its_title_while_we_look_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look sees its master's title, the next one its own."""
    with started("/bin/bash", FORKS) as master:
        eventually(lambda: f"{MASTER} -c read never <&3" in map(process.title, children(master.pid)))
        (worker,) = running.workers(master)
        titles = process.title(worker.pid), "nginx: worker process"

        monkeypatch.setattr(process, "title", seen_in_turn(*titles))
        assert not running.is_master(worker.pid)
        monkeypatch.setattr(process, "title", seen_in_turn(*titles))
        assert list(running.all_workers({worker.pid: master.pid})) == [(worker, master.pid)]


def seen_in_turn(*titles: str) -> Callable[[int], str]:
    left = list(titles)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_a_master_that_became_a_daemon_below_another_one_is_a_master() -> None:
    """As where the first process of a container is an nginx, to which all daemons belong."""
    daemon = "import os, sys\nif os.fork() == 0: os.setsid()\nsys.stdin.read()"
    with started(sys.executable, daemon) as master:
        eventually(lambda: [process.session(pid) == pid for pid in children(master.pid)] == [True])

        assert running.is_master(*children(master.pid))
        assert running.workers(master) == []


@contextmanager
def started(program: str, code: str) -> Iterator[Process]:
    """A program with the title of a master, and what it forks."""
    with subprocess.Popen([MASTER, "-c", code], executable=program, stdin=subprocess.PIPE) as child:
        master = Process.find(child.pid)
        assert master
        yield master


def test_a_master_that_runs_may_have_just_got_a_signal_and_one_that_sleeps_has_handled_all() -> None:
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as busy, subprocess.Popen(["sleep", "600"]) as asleep:
        try:
            running_one, sleeping_one = Process.find(busy.pid), Process.find(asleep.pid)
            assert running_one
            assert sleeping_one
            eventually(lambda: running.is_settled(sleeping_one))
            eventually(lambda: process.title(busy.pid).startswith("sh -c"))
            assert not any(running.is_settled(running_one) for _ in range(100))
        finally:
            busy.kill()
            asleep.kill()


def children(parent: int) -> list[int]:
    return [pid for pid, of in process.parents().items() if of == parent]
