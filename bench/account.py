"""What a peer costs: the processes that it has, their CPU time and memory."""

from __future__ import annotations

import os
import resource

from bench.peer import APP
from zdd.host import process

_TICK = os.sysconf("SC_CLK_TCK")
_LOAD = "zdd.load"


def ours() -> list[int]:
    """Return all processes below this one, which is a subreaper, less the load generator."""
    return [pid for pid in process.descendants(os.getpid()) if _LOAD not in process.title(pid)]


def cpu_seconds() -> float:
    """
    Return the CPU time of all that ran below this process, the dead included.

    What has ended is in the times of whoever waited for it; what nobody has waited for is still in /proc.
    """
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for pid in ours():
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # gone since
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
    return usage.ru_utime + usage.ru_stime + ticks / _TICK


def memory_beside_the_app(of_the_machine: tuple[str, ...] = ()) -> int:
    """Return the proportional set size in bytes of all processes but the app and these (proc_pid_smaps(5))."""
    left_out = (*APP, *of_the_machine)
    return sum(pss(pid) for pid in ours() if not any(word in process.title(pid) for word in left_out))


def pss(pid: int) -> int:
    """Return its proportional set size in bytes, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0
