"""Processes, identified so that a recycled number is never mistaken for one of them."""

from __future__ import annotations

import os
import select
import time

from zdd.host import clock, descent, proc
from zdd.host.light import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# The beginning of the title that nginx gives its master, and Angie, which is made of nginx.
NGINX_MASTERS = ("nginx: master process", "angie: master process")

_PF_FORKNOEXEC = 0x40
_DEAD_WITHIN = 5.0  # seconds after SIGKILL; longer only in state D, for example on a network disk that is gone


class Process:
    """
    One process: its number and its start time (clock ticks since boot, proc_pid_stat(5), field 22).

    The pair is unique until the next boot, so it can be recorded and trusted later. Records that survive a boot must
    contain the boot id, too.
    """

    __slots__ = ("pid", "start_time")

    def __init__(self, pid: int, start_time: int) -> None:
        self.pid = pid
        self.start_time = start_time

    def __repr__(self) -> str:
        return f"Process({self.pid}, {self.start_time})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Process) and (self.pid, self.start_time) == (other.pid, other.start_time)

    def __hash__(self) -> int:
        return hash((self.pid, self.start_time))

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """Return the running process with this number; None if there is none, or a zombie."""
        stat = stat_fields(pid)
        return cls(pid, int(stat[19])) if stat and stat[0] not in "ZX" else None

    def alive(self) -> bool:
        """Return whether this process still runs."""
        return Process.find(self.pid) == self

    def signal(self, number: int) -> bool:
        """
        Send a signal to this process; return False if it has ended.

        The order makes this safe: while the pidfd is open the number cannot be recycled unnoticed, so the start time is
        compared after opening and before sending (pidfd_open(2)).
        Raises PermissionError for another user's process.
        """
        with Opened(self) as fd:
            if fd is None:
                return False
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                return False
            return True

    def wait(self, seconds: float) -> bool:
        """Wait at most this long for the end of the process; return whether it has ended. It need not be our child."""
        with Opened(self) as fd:
            if fd is None:
                return True
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(max(0, int(seconds * 1000)))) or not self.alive()

    def started(self, boot: float | None = None) -> float:
        """Return when it started, in seconds of time.time(), to about a hundredth of a second; `boot` if known."""
        return (clock.boot_time() if boot is None else boot) + self.start_time / os.sysconf("SC_CLK_TCK")


class Opened:
    """The pidfd of a process for a `with`, None if it has ended; by hand like `files.Opened`."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.fd: int | None = None

    def __enter__(self) -> int | None:
        try:
            self.fd = os.pidfd_open(self.process.pid)
        except ProcessLookupError:
            return None
        return self.fd if self.process.alive() else None

    def __exit__(self, *_: object) -> None:
        if self.fd is not None:
            os.close(self.fd)


def now() -> int:
    """Return the start time of a process that starts now."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def title(pid: int) -> str:
    """Return the command line as ps shows it, "" if the process has ended (nginx writes its role there)."""
    return proc.read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").strip().decode(errors="replace")


def environment(pid: int) -> dict[str, str]:
    """Return the environment the process was started with; empty if it may not be read or the process has ended."""
    pairs = (entry.partition(b"=") for entry in proc.read(f"/proc/{pid}/environ").split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def is_fork(pid: int) -> bool:
    """
    Return whether a process has run no program since its fork and is in its parent's session, so it is no daemon.

    The kernel tells it of every user's process (PF_FORKNOEXEC of include/linux/sched.h, proc_pid_stat(5), field 9).
    """
    stat = stat_fields(pid)
    return stat is not None and bool(int(stat[6]) & _PF_FORKNOEXEC) and stat[3] != str(pid)


def user_id(pid: int) -> int | None:
    """Return the effective user of the process, None if it has ended."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def hides_descriptors(pid: int) -> bool:
    """Return whether the process runs, but belongs to another user, so that we cannot see its descriptors."""
    try:
        os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        return Process.find(pid) is not None
    except OSError:  # it has ended
        pass
    return False


def shares_unit(pid: int) -> bool:
    """Return whether the process is in our control group and that is a unit of our own (see systemd.py)."""
    ours = proc.read("/proc/self/cgroup")
    return b"/zdd-" in ours and ours == proc.read(f"/proc/{pid}/cgroup")


def user_ids(pid: int) -> set[int]:
    """
    Return the real, effective and saved users of the process, whose rights it has or can regain; empty if it ended.

    `user_id` returns root for a process that has changed its user without an exec since (proc(5), dumpable).
    """
    lines = proc.read(f"/proc/{pid}/status").decode(errors="replace").splitlines()
    return {int(number) for line in lines if line.startswith("Uid:") for number in line.split()[1:]}


def parents() -> dict[int, int]:
    """Return the parent of every process on the machine, by number, in one scan of /proc."""
    return {pid: int(stat[1]) for pid in numbers() if (stat := stat_fields(pid)) is not None}


def numbers() -> list[int]:
    """Return the numbers of all processes on the machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Return the processes that a process has started or adopted, ended ones too; empty if it has ended itself."""
    if descent.is_listed():
        return descent.children(pid)
    return [child for child, parent in parents().items() if parent == pid]


def session(pid: int) -> int | None:
    """Return the session of a process, None if it has ended."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def descendants(root: int) -> list[int]:
    """Return all processes below this one, children before grandchildren."""
    return descent.below(root) if descent.is_listed() else trees([root])[root]


def trees(roots: list[int], known: Mapping[int, int] | None = None) -> dict[int, list[int]]:
    """Return for each of these processes all processes below it, in one scan of /proc, or by the `known` parents."""
    children: dict[int, list[int]] = {}
    for pid, parent in (parents() if known is None else known).items() if roots else ():
        children.setdefault(parent, []).append(pid)
    below = {}
    for root in roots:
        tree = [root]
        for pid in tree:
            tree.extend(children.get(pid, ()))
        below[root] = tree[1:]
    return below


def with_environment(name: str, value: str) -> list[int]:
    """
    Return all running processes that were started with this variable.

    A daemon leaves its session and its parent, but keeps its environment. Only root sees other users' processes.
    """
    wanted = os.fsencode(f"{name}={value}")
    pids = (pid for pid in numbers() if wanted in proc.read(f"/proc/{pid}/environ").split(b"\0"))
    return [pid for pid in pids if Process.find(pid)]


def end(processes: Iterable[Process], stop_signal: int, patience: float, now: Callable[[], float]) -> list[Process]:
    """Send the signal, and SIGKILL to the rest after `patience` seconds; return that rest, after 5 s if in state D."""
    running, rest = list(processes), list[Process]()
    for number, seconds in ((stop_signal, patience), (signal.SIGKILL, _DEAD_WITHIN)):
        running = [process for process in running if process.signal(number)]
        deadline = now() + seconds
        running = [process for process in running if not process.wait(deadline - now())]
        rest = rest or running
    return rest


def ended(status: int) -> str:
    """
    Return how a process ended, from its exit status (minus the signal's number if killed).

    >>> ended(3), ended(-9)
    ('exit status 3', 'SIGKILL')
    """
    if status >= 0:
        return f"exit status {status}"
    names = (name for name in vars(signal) if name.startswith("SIG") and not name.startswith("SIG_"))
    known = (name for name in names if getattr(signal, name) == -status)
    return min(known, default=f"signal {-status}")  # most real-time signals have no name


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields after the command name (which may contain spaces and parentheses): state, ppid, ..."""
    data = proc.read(f"/proc/{pid}/stat")
    return data.rpartition(b")")[2].decode().split() if data else None
