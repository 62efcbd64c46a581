"""Memory and CPU time of processes, and how often the kernel killed for lack of memory."""

from __future__ import annotations

import os

from zdd.host import files, proc, process


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and the children it has waited for; 0 if it has ended (proc_pid_stat(5))."""
    stat = process.stat_fields(pid)
    return _seconds(stat) if stat else 0.0


def memory_bytes(pid: int) -> int:
    """Return the resident memory in bytes, 0 if the process has ended (proc_pid_statm(5))."""
    fields = proc.read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def on_cores(pids: list[int]) -> tuple[float, float]:
    """
    Return for how many seconds these processes' threads have run, and were ready to run but got no core.

    Both are 0 where the kernel does not count (CONFIG_SCHED_INFO).
    """
    ran = waited = 0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:  # it has ended
            continue
        for thread in threads:
            if fields := proc.read(f"/proc/{pid}/task/{thread}/schedstat").split():
                ran, waited = ran + int(fields[0]), waited + int(fields[1])
    return ran / 1e9, waited / 1e9


def use_of_trees(roots: list[int]) -> dict[int, tuple[int, float]]:
    """
    Return the resident memory in bytes and the CPU time in seconds of each of these processes with all below it.

    Scans /proc once. The time of processes that have ended counts once their parents have waited for them.
    """
    parents, seconds = dict[int, int](), dict[int, float]()
    for pid in process.numbers() if roots else ():
        if stat := process.stat_fields(pid):
            parents[pid], seconds[pid] = int(stat[1]), _seconds(stat)
    return {
        root: (sum(map(memory_bytes, tree)), sum(seconds.get(pid, 0.0) for pid in tree))
        for root, below in process.trees(roots, parents).items()
        for tree in ([root, *below],)
    }


def _seconds(stat: list[str]) -> float:
    return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")


def kills(root: str = "") -> int:
    """
    Return how often the kernel has killed in our control group because its memory, or the machine's, was exhausted.

    Returns 0 where the kernel does not count. Sources: cgroup-v2, "memory.events"; cgroup-v1/memory,
    "memory.oom_control". Tests set `root`, the folder of /proc and /sys.
    """
    for line in (files.read(f"{root}/proc/self/cgroup") or "").splitlines():
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _count(f"{root}/sys/fs/cgroup/memory{group}/memory.oom_control")
        if not controllers and (count := _count(f"{root}/sys/fs/cgroup{group}/memory.events")):
            return count
    return 0


def kills_anywhere() -> int:
    """Return how many processes of the machine were killed for lack of memory since the boot (0 before Linux 4.13)."""
    return _count("/proc/vmstat")


def _count(path: str) -> int:
    try:
        pairs = [line.split() for line in (files.read(path) or "").splitlines()]
    except OSError:
        return 0
    return next((int(number) for name, number in pairs if name == "oom_kill"), 0)
