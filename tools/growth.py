"""
Print what commands cost while a project has many services: CPU time of the command, and of all processes together.

`python -m tools.growth [SERVICES [SOURCE...]]`. With each SOURCE, the folder `src` of another checkout, the same is
measured one after the other. CPU times can be compared on a busy machine, wall times cannot. All processes: the
command, nginx, keepers and apps, from their start to their end; keepers that only wait are part of it.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.peer import APPS
from tests.system.project import BIN, Project, configure, service
from tests.waiting import eventually
from tools.cost import OWN, RUN
from zdd.host import own_process, proc, process

TICK = os.sysconf("SC_CLK_TCK")
TIMES = 5  # that the short commands are run; their fastest run counts
COMMANDS = (("deploy of all", ()), ("status", ("status",)), ("deploy of one", ("deploy", "web0000")))


class Many:
    """A project with so many services of the smallest app, deployed by one checkout of zdd."""

    def __init__(self, services: int, source: Path) -> None:
        self.services, self.source = services, source
        self.project = Project()
        names = [f"web{number:04}" for number in range(services)]
        settings = {"run": "perl tiny.pl", "health_path": "/", "keep_warm": "0s"}
        configure(self.project, *(service(name, **settings, host=f"{name}.localhost") for name in names))
        shutil.copy(APPS / "tiny.pl", self.project.folder)

    def run(self, *arguments: str) -> tuple[float, float, float]:
        """Run a command; return the CPU seconds of it, those of all, and the seconds that it took."""
        before, begun = self.spent(), time.monotonic()
        command = [str(BIN / "python"), "-c", RUN, str(self.source), "--json", *arguments]
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
        child = subprocess.Popen(command, cwd=self.project.folder, env=env, stdout=subprocess.DEVNULL)
        _, child.returncode, usage = os.wait4(child.pid, 0)
        took = time.monotonic() - begun
        assert child.returncode == 0, f"it failed in {self.project.folder}"
        eventually(lambda: len(self.keepers()) == self.services, what="the end of the old instances")
        return usage.ru_utime + usage.ru_stime, self.spent() - before, took

    def keepers(self) -> list[int]:
        """Return the processes beside the apps."""
        below = process.descendants(os.getpid())
        return [pid for pid in below if f"{self.project.runtime}/control/" in process.title(pid)]

    def spent(self) -> float:
        """Return the CPU seconds of everything that we have started, the dead included."""
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass  # a keeper whose command has ended is our child
        except ChildProcessError:
            pass
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        living = sum(map(seconds_of, process.descendants(os.getpid())))
        return ended.ru_utime + ended.ru_stime + living


def seconds_of(pid: int) -> float:
    """Return the CPU seconds of a process to the nanosecond, and those of its ended children in ticks."""
    own = proc.read(f"/proc/{pid}/schedstat").split()
    stat = process.stat_fields(pid)
    return (int(own[0]) / 1e9 if own else 0.0) + (sum(map(int, stat[13:15])) / TICK if stat else 0.0)


def measured(services: int, source: Path) -> dict[str, tuple[float, float, float]]:
    """Return what each command has cost, with one checkout of zdd."""
    many = Many(services, source)
    try:
        found = {"first deploy": many.run()}
        for name, arguments in COMMANDS:
            runs = [many.run(*arguments) for _ in range(TIMES if arguments else 1)]
            found[name] = min(runs, key=lambda run: run[1])
        before = many.spent()
        time.sleep(10.0)
        idle = many.spent() - before
        return found | {"10 s of waiting": (0.0, idle, 10.0)}
    finally:
        many.project.end()


def main(services: int, sources: list[Path]) -> None:
    """Measure one after the other, and print a line for each command."""
    for source in sources:
        print(f"{source}, {services} services: CPU of the command, of all, wall time")
        for name, (command, everything, took) in measured(services, source).items():
            print(f"  {name:16} {command:8.3f} s {everything:8.3f} s {took:8.3f} s", flush=True)


if __name__ == "__main__":
    own_process.become_subreaper()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, [OWN, *map(Path, sys.argv[2:])])
