"""
Which nginx it is: the master process that reads a file of ours, or why it is unknown.

Every question about a running nginx starts here. A process is not believed for its title alone, which any process can
give itself: it must be root's or ours, unless a pid file that nobody else can write names it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec import Struct

from zdd.host import guarded, namespaces, process
from zdd.host.guarded import Untrusted
from zdd.host.process import Process
from zdd.nginx.process import running

USUAL_PID_FILE = "/run/nginx.pid"  # where distributions have it
_SET_IT = "set pid_file in [nginx] to the pid file of the nginx that reads it"

Reads = Callable[[Process], bool | None]  # whether a master reads our file, None if that is unknown


class Master(Struct, frozen=True):
    """The master is known."""

    process: Process


class Absent(Struct, frozen=True):
    """No nginx reads the file. `is_down`: that is certain, and zdd cannot start it; elsewhere one may run unseen."""

    reason: str
    is_down: bool = False


class Unknown(Struct, frozen=True):
    """It is unknown which nginx reads the file; `hint` says what to set. `candidates` are those that may."""

    reason: str
    hint: str
    candidates: tuple[Process, ...] = ()


Answer = Master | Absent | Unknown


def that_reads(file: str, pid_file: str | None, reads: Reads) -> Answer:
    """Return the nginx of somebody else that reads this file, by the configured pid file or by its configuration."""
    if pid_file and (answer := _named(file, pid_file, reads)):
        return answer
    masters = visible()
    believed = [master for master in masters if _is_ours_or_root_s(master)]
    verdicts = {master: reads(master) for master in believed}
    readers = newest([master for master in believed if verdicts[master]])
    if len(readers) == 1:
        return Master(readers[0])
    if readers:
        return Unknown(f"{_several(readers)} include {file}", _SET_IT, tuple(readers))
    if pid_file and _is_missing(pid_file):  # nginx removes it when it ends
        return _none(file, pid_file, believed)
    if doubtful := [master for master in believed if verdicts[master] is None]:
        reason = f"whether nginx ({_numbers(doubtful)}) includes {file} is unknown: its configuration cannot be read"
        return Unknown(reason, _SET_IT, tuple(doubtful))
    if strangers := [master for master in masters if master not in believed]:
        reason = f"{_numbers(strangers)} has nginx's title, but is neither root's nor yours, and so is not believed"
        return Unknown(reason, _SET_IT)
    return _hidden(pid_file or USUAL_PID_FILE) or _none(file, pid_file, believed)


def of_ours(pid_file: str, conf_file: str) -> Answer:
    """Return the nginx that zdd has started with this configuration."""
    found = running.find_master(pid_file, conf_file)
    return Master(found) if found else Absent("nginx does not run")


def visible() -> list[Process]:
    """Return every process that has the title of an nginx master, other users' too."""
    return [master for pid in running.everybody() if running.is_master(pid) and (master := Process.find(pid))]


def newest(masters: list[Process]) -> list[Process]:
    """Return the masters without those whose program is being replaced by another one of them (their child)."""
    parents = running.everybody() if len(masters) > 1 else {}
    replaced = {parents.get(master.pid) for master in masters}
    return [master for master in masters if master.pid not in replaced]


def _named(file: str, pid_file: str, reads: Reads) -> Answer | None:
    """Return what follows from the configured pid file; None if it names no nginx that can be seen."""
    pid, shared = _number(pid_file)
    named = Process.find(pid) if pid else None
    if named is None or not running.is_master(named.pid):
        return None
    if shared and process.user_ids(named.pid) != {0}:
        reason = f"{pid_file} names process {named.pid}, which is not root's, and other users can write that file"
        return Unknown(reason, "let only root write the pid file and its folder")
    verdict = reads(named)
    if verdict or (verdict is None and not shared):
        return Master(named)
    if verdict is None:
        return Unknown(f"{pid_file} names process {named.pid}, and its configuration cannot be read", _SET_IT, (named,))
    return Absent(f"nginx (process {named.pid}, {pid_file}) does not include {file}")


def _hidden(pid_file: str) -> Unknown | None:
    """Return that nginx may run where we cannot see it; None if we see all processes."""
    pid, _ = _number(pid_file)
    us = "another user's processes are hidden here (/proc is mounted with hidepid)"
    cure = "mount /proc with gid= of a group of yours, or run zddeploy as root"
    if pid and namespaces.is_hidden(pid):
        return Unknown(f"nginx (process {pid}, {pid_file}) cannot be seen: {us}", cure)
    if namespaces.hides_processes():
        return Unknown(f"whether nginx runs cannot be seen: {us}", cure)
    return None


def _none(file: str, pid_file: str | None, others: list[Process]) -> Absent:
    if pid_file:
        return Absent(f"no nginx runs that would read {file}: {pid_file} names none", is_down=True)
    if others:
        return Absent(f"no nginx includes {file}: {_numbers(others)} runs without it")
    return Absent(f"no nginx runs that would read {file}", namespaces.is_first_of_pids())


def _is_missing(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _number(pid_file: str) -> tuple[int | None, bool]:
    """Return the number in a pid file, and whether another user could have written it."""
    try:
        entry = guarded.look(pid_file)
    except (Untrusted, OSError, ValueError):
        return None, True
    return (entry.number, entry.shared) if entry else (None, False)


def _is_ours_or_root_s(master: Process) -> bool:
    return process.user_ids(master.pid) in ({0}, {os.geteuid()})


def _numbers(masters: list[Process]) -> str:
    return " and ".join(f"process {master.pid}" for master in masters)


def _several(masters: list[Process]) -> str:
    return f"{len(masters)} nginx masters ({_numbers(masters)})"
