"""The nginx processes on this machine: which are ours, and what they do."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator, Mapping

from zdd.host import clock, guarded, low_ports, namespaces, proc, process, sock_diag
from zdd.host.guarded import Untrusted
from zdd.host.process import Process
from zdd.nginx.process.title import title_of

MASTERS = process.NGINX_MASTERS
_WORKERS = ("nginx: worker process", "angie: worker process")
_ANY = (*MASTERS, *_WORKERS)
_SHUTTING_DOWN = tuple(f"{worker} is shutting down" for worker in _WORKERS)

FAST = 5.0  # seconds for the end after SIGTERM, at which nginx waits for no request
_CLOCK_GRANULARITY = 2.0  # the kernel gives the time of its boot in whole seconds


def find_master(pid_file: str, conf_file: str) -> Process | None:
    """
    Return the master that the pid file names; None if the file is empty or stale, or names some other process.

    Some other process is: one that is no nginx master; one whose -c names another file than ours; one whose title names
    no file and that started after the pid file was written, as the number was used again. If another user than root
    could have written the pid file, also: a process that is not root's, or whose title names no file.
    """
    try:
        entry = guarded.look(pid_file)
    except (Untrusted, OSError, ValueError):
        return None
    pid = entry.number if entry else None
    master = Process.find(pid) if pid else None
    if master is None or not is_master(master.pid):
        return None
    named = title_of(master.pid).absolute_conf_file
    if entry and entry.shared and (named is None or process.user_ids(master.pid) != {0}):
        return None
    if named is not None:
        return master if os.path.realpath(named) == os.path.realpath(conf_file) else None
    return master if master.started() <= _written(pid_file) + _CLOCK_GRANULARITY else None


def is_master(pid: int) -> bool:
    """
    Return whether this is a living nginx master, by the title that nginx gives itself.

    A worker that was just forked has its master's title, too; but a master has run a program, or it is a daemon and so
    leads a session.
    """
    return process.title(pid).startswith(MASTERS) and not process.is_fork(pid)


def masters_of(conf_file: str) -> list[Process]:
    """Return every master whose -c names this file, whatever a pid file says."""
    masters = (Process.find(pid) for pid in everybody() if title_of(pid).conf_file == conf_file)
    return [master for master in masters if master and is_master(master.pid)]


def workers(master: Process, shutting_down: bool = False) -> list[Process]:
    """
    Return the master's workers that take new requests, or also those that are shutting down.

    A worker that was just forked has no title of its own yet; it is about to take requests.
    """
    children = dict.fromkeys(process.children(master.pid), master.pid)
    return [worker for worker, _ in all_workers(children, shutting_down)]


def everybody() -> dict[int, int]:
    """Return the parent of every process on this machine that has a title of nginx's, in one scan of /proc."""
    titled = [pid for pid in process.numbers() if process.title(pid).startswith(_ANY)]
    return {pid: int(stat[1]) for pid in titled if (stat := process.stat_fields(pid))}


def all_workers(parents: Mapping[int, int], shutting_down: bool = False) -> Iterator[tuple[Process, int]]:
    """Yield which of these processes are such workers, of any master, each with its parent."""
    for pid, parent in parents.items():
        title = process.title(pid)  # once: it may change meanwhile, and then it was neither one nor the other
        if not (title.startswith(_WORKERS) or (title.startswith(MASTERS) and process.is_fork(pid))):
            continue
        is_wanted = shutting_down or not title.startswith(_SHUTTING_DOWN)
        if is_wanted and (worker := Process.find(pid)):
            yield worker, parent


def orphans(ports: set[int]) -> list[Process]:
    """
    Return the workers that listen on any of these ports and whose master is gone.

    What another user's processes listen on is hidden, so only root finds all. Of our own it is hidden where they may
    listen below port 1024 and we may not: they count if a socket of ours listens there, and nobody else can have it.
    """
    alone = [
        pid for pid, parent in everybody().items() if process.title(pid).startswith(_WORKERS) and not is_master(parent)
    ]
    inodes = {inode for port in ports for inode, _ in _listening_on(port)} if alone else set()
    serving = [pid for pid in alone if inodes & sock_diag.inodes_of([pid]) or _hides(pid, ports)]
    return [worker for pid in serving if (worker := Process.find(pid))]


def _hides(pid: int, ports: set[int]) -> bool:
    us, low = os.geteuid(), [port for port in ports if port < low_ports.first_free()]
    if us == 0 or not low or process.user_id(pid) != us or not low_ports.may_bind(pid) or low_ports.may_bind():
        return False
    return any(user == us for port in low for _, user in _listening_on(port))


def _listening_on(port: int) -> list[tuple[int, int]]:
    from zdd.host import net_tcp  # here, because hardly any worker has lost its master

    return net_tcp.listening_on(port)


def is_settled(master: Process) -> bool:
    """
    Return whether the master has handled all signals that it got, so no reload is under way or pending.

    It blocks them except while it waits for the next one (/proc/PID/status, see proc_pid_status(5)), asleep: one that
    runs may have just got a signal, which is not pending any more, and not blocked the others yet. On two busy cores
    the masks alone said so in 6 of 150 reloads before they had begun; asleep in none.
    """
    status = proc.read(f"/proc/{master.pid}/status").decode(errors="replace")
    if "\nState:\tS" not in status:
        return False
    masks = [
        int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd", "SigBlk"))
    ]
    return bool(masks) and not any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


def own_number(worker: Process) -> int:
    """Return the number that the process has in its own PID namespace, by which it calls itself."""
    for line in proc.read(f"/proc/{worker.pid}/status").decode(errors="replace").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return worker.pid


def _written(path: str) -> float:
    """
    Return when the file was written, 0 if it does not exist.

    A file in memory cannot be older than the boot: where it seems to be, somebody has set the clock since, as NTP does
    on machines that boot with a wrong one, and the time says nothing.
    """
    try:
        written = os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
    return math.inf if written < clock.boot_time() and namespaces.is_in_memory(path) else written
