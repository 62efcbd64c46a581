from __future__ import annotations

import subprocess

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process
from zdd.nginx.process import master as masters
from zdd.nginx.process import running

MASTER = running.MASTERS[0]
# A shell of that name: what it forks has the name too, until it runs another program.
FORKS = f"exec 3<&0; (read <&3) & (exec -a '{MASTER}' sh -c 'read never <&3') & read <&3"


def test_a_worker_that_has_no_title_yet_is_one_and_a_new_nginx_is_none() -> None:
    with subprocess.Popen([MASTER, "-c", FORKS], executable="/bin/bash", stdin=subprocess.PIPE) as shell:
        master = Process.find(shell.pid)
        assert master
        eventually(lambda: f"{MASTER} -c read never <&3" in map(process.title, children(shell.pid)))

        (worker,) = running.workers(master)
        assert process.title(worker.pid) == process.title(shell.pid)
        replacement = next(pid for pid in children(shell.pid) if pid != worker.pid)
        assert running.is_master(shell.pid)
        assert running.is_master(replacement)
        assert not running.is_master(worker.pid)
        assert worker not in masters.visible()


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
