"""What the kernel says of memory that ran out."""

from __future__ import annotations

from zdd.host import files


def kills(root: str = "") -> int:
    """
    Return how often the kernel has killed in our control group because its memory, or the machine's, had run out.

    0 where nobody counts. Sources: cgroup-v2, "memory.events"; cgroup-v1/memory, "memory.oom_control". `root` is where
    /proc and /sys are, for tests.
    """
    for line in (files.read(f"{root}/proc/self/cgroup") or "").splitlines():
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _count(f"{root}/sys/fs/cgroup/memory{group}/memory.oom_control")
        if not controllers and (found := _count(f"{root}/sys/fs/cgroup{group}/memory.events")):
            return found
    return 0


def kills_anywhere() -> int:
    """Return how many processes of the machine were killed for lack of memory since the boot (0 before Linux 4.13)."""
    return _count("/proc/vmstat")


def _count(path: str) -> int:
    try:
        words = [line.split() for line in (files.read(path) or "").splitlines()]
    except OSError:
        return 0
    return next((int(number) for name, number in words if name == "oom_kill"), 0)
