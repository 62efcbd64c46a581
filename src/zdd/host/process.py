"""Processes, named so that a recycled number is never mistaken for them."""

from __future__ import annotations

import os
import select
import signal
import time

from zdd.host import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NGINX_MASTER = "nginx: master process"  # how the title begins that nginx gives it


class Process:
    """
    One process: its number and the moment it started (clock ticks since boot, proc_pid_stat(5), field 22).

    The pair is unique until the next boot, so it can be written down and trusted later. What is remembered across a
    boot must be kept together with the boot id.
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
        """Return the living process that has this number now; a zombie does not live."""
        stat = stat_fields(pid)
        return cls(pid, int(stat[19])) if stat and stat[0] not in "ZX" else None

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Process.find(self.pid) == self

    def signal(self, number: int) -> bool:
        """
        Send a signal to this very process; False when it is gone.

        The order is what makes it safe: with the pidfd open the number can no longer be recycled unnoticed, so the
        start time is compared after opening and before sending (pidfd_open(2)).
        Raises PermissionError for another user's process.
        """
        with self.opened() as fd:
            if fd is None:
                return False
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                return False
            return True

    def wait(self, seconds: float) -> bool:
        """Wait until the process has ended, at most this long; True when it has. It need not be our child."""
        with self.opened() as fd:
            if fd is None:
                return True
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(max(0, int(seconds * 1000)))) or not self.alive()

    def opened(self) -> _Opened:
        """Give, for a `with`, a pidfd of this very process, None when it is gone; closed on leaving."""
        return _Opened(self)

    def started(self) -> float:
        """Return when it started, in seconds of time.time(); exact to a hundredth or so."""
        return clock.boot_time() + self.start_time / os.sysconf("SC_CLK_TCK")


class _Opened:
    """A context manager by hand: contextlib would cost each keeper a third of a megabyte."""

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
    """Return the start time that a process has which starts now."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def title(pid: int) -> str:
    """Return the command line as ps shows it, "" for a process that is gone (nginx writes its role there)."""
    return read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").strip().decode(errors="replace")


def environment(pid: int) -> dict[str, str]:
    """Return the environment the process was started with; empty where it may not be read or it is gone."""
    pairs = (entry.partition(b"=") for entry in read(f"/proc/{pid}/environ").split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def is_copy(pid: int, of: int) -> bool:
    """Tell whether a process was forked off that one and has run no program since: each is at addresses of its own."""
    vector = read(f"/proc/{pid}/auxv")
    return bool(vector) and vector == read(f"/proc/{of}/auxv")


def user_id(pid: int) -> int | None:
    """Return the effective user of the process, None when it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def hides_descriptors(pid: int) -> bool:
    """Tell whether the process lives and we may not see its descriptors, as it has another user than we."""
    try:
        os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        return Process.find(pid) is not None
    except OSError:  # it is gone
        pass
    return False


def shares_unit(pid: int) -> bool:
    """Tell whether the process is in our own control group, where that is a unit made for us alone (see systemd.py)."""
    ours = read("/proc/self/cgroup")
    return b"/zdd-" in ours and ours == read(f"/proc/{pid}/cgroup")


def user_ids(pid: int) -> set[int]:
    """
    Return the users whose rights the process has or can take back: real, effective, saved; empty when it is gone.

    `user_id` says root of a process that has changed its user and run no program since (proc(5), dumpable).
    """
    lines = read(f"/proc/{pid}/status").decode(errors="replace").splitlines()
    return {int(number) for line in lines if line.startswith("Uid:") for number in line.split()[1:]}


def parents() -> dict[int, int]:
    """Return the parent of every process on the machine, by number: one scan of /proc."""
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return {pid: int(stat[1]) for pid in numbers if (stat := stat_fields(pid)) is not None}


def descendants(root: int) -> list[int]:
    """Return all processes below this one, children before grandchildren, without the root itself."""
    return trees([root])[root]


def trees(roots: list[int]) -> dict[int, list[int]]:
    """Return for each of these processes all processes below it: one scan of /proc for all."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items() if roots else ():
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
    Return all living processes that were started with this variable: what daemonizes leaves its session and its parent,
    but its environment stays. Processes of other users cannot be seen, unless we are root.
    """
    wanted = os.fsencode(f"{name}={value}")
    numbers = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    pids = (pid for pid in numbers if wanted in read(f"/proc/{pid}/environ").split(b"\0"))
    return [pid for pid in pids if Process.find(pid)]


def end(processes: Iterable[Process], stop_signal: int, patience: float, now: Callable[[], float]) -> None:
    """
    Stop processes and return once all have ended: the signal first, SIGKILL to what is left after `patience` seconds.

    A process that cannot be killed (state D) is given 5 s more and then left, since nothing else can be done.
    """
    running = [process for process in processes if process.signal(stop_signal)]
    for number, seconds in ((None, patience), (signal.SIGKILL, 5.0)):
        if number is not None:
            running = [process for process in running if process.signal(number)]
        deadline = now() + seconds
        running = [process for process in running if not process.wait(deadline - now())]


def ended(status: int) -> str:
    """
    Say how a process ended, from its exit status (minus the signal's number when killed).

    >>> ended(3), ended(-9)
    ('exit status 3', 'SIGKILL')
    """
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return f"signal {-status}"


def become_subreaper() -> None:
    """Have orphaned descendants become our children instead of init's (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    import _ctypes  # what ctypes itself is made of, for less than half of its memory: a keeper holds it for months

    pr_set_child_subreaper = 36
    ourselves = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # typeshed does not know about None
    prctl = _ctypes.dlsym(ourselves, "prctl")
    if _ctypes.call_cdeclfunction(prctl, (pr_set_child_subreaper, 1, 0, 0, 0)) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed")  # a kernel before Linux 3.4


def change_user(uid: int | None, gid: int | None, groups: list[int] | None) -> None:
    """Have this process run as somebody else, None where that stays as it is. Raises OSError when it may not."""
    if groups is not None and os.geteuid() == 0:
        os.setgroups(groups)
    if gid is not None:
        os.setgid(gid)
    if uid is not None:
        os.setuid(uid)


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields after the command name, which may itself hold spaces and parentheses: state, ppid, ..."""
    data = read(f"/proc/{pid}/stat")
    return data.rpartition(b")")[2].decode().split() if data else None


def read(path: str) -> bytes:
    """Read a file of /proc; a process that is gone, or not ours to read, reads as nothing."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
