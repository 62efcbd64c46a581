"""
Who else takes requests where an nginx does: workers that its reload does not reach.

Whose children they are says little: a master that was killed leaves workers behind, and two masters may have got the
same sockets from systemd, or share a port (SO_REUSEPORT). So the sockets are compared where we may look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct

from zdd.errors import DeployFailed, UsageError
from zdd.host import guarded, namespaces, process, sock_diag
from zdd.host.clock import Clock
from zdd.host.guarded import Untrusted
from zdd.host.process import Process
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.process import running

_FIRST_OWN = 3  # a descriptor below may be a socket that everything started together has, such as the journal's
_AGAIN = "then run zddeploy again"
_POLL = 0.05  # seconds; a look reads the titles of all processes
_PATIENCE = 5.0  # seconds; distributions replace the program of a running nginx within a few

Done = TypeVar("Done")
Refusal = TypeVar("Refusal", UsageError, DeployFailed)


class Rival(Struct, frozen=True):
    """
    Workers that take requests on the sockets of `of`, and their master, None if that is gone.

    `replaces`: one of the two masters replaces the other's program (nginx's USR2).
    """

    of: Process
    workers: list[Process]
    master: Process | None
    replaces: bool

    def refusal(self, kind: type[Refusal]) -> Refusal:
        """Return the error for a reload that would reach only a part of those that take requests."""
        if self.master is None:
            numbers = [str(worker.pid) for worker in self.workers]
            who = f"nginx's workers {' and '.join(numbers)}, whose master is gone, take requests beside process"
            return kind(
                f"{who} {self.of.pid}, and a reload would not reach them",
                hint=f"let them finish what they have, `kill -QUIT {' '.join(numbers)}`; {_AGAIN}",
            )
        old, new = sorted((self.of, self.master), key=lambda each: each.start_time)
        both = f"processes {old.pid} and {new.pid} both take requests"
        if not self.replaces:
            return kind(
                f"two nginx have the same sockets: {both}, and a reload would reach only one of them",
                hint=f"end one of them, `kill -QUIT {old.pid}` or `kill -QUIT {new.pid}`; {_AGAIN}",
            )
        return kind(
            f"nginx's program is being replaced: {both}, and a reload would reach only one of them",
            hint=f"finish it, `kill -QUIT {old.pid}`, "
            f"or go back, `kill -HUP {old.pid}; kill -QUIT {new.pid}`; {_AGAIN}",
        )


def rivals(master: Process, pid_file: str | None) -> list[Rival]:
    """
    Return who takes requests where this master's workers do, other masters first.

    A master whose workers take no new requests does not count: after its QUIT or WINCH it may live on for hours.
    """
    parents = running.everybody()
    sockets, replacing = _sockets(master), _replacing(master, pid_file, parents)
    groups: dict[int, list[Process]] = {}
    for worker, parent in running.all_workers(parents):
        if parent != master.pid:
            groups.setdefault(parent, []).append(worker)
    found = []
    for parent, workers in groups.items():
        replaces = parent in replacing
        if replaces or any(sockets & _numbers(worker) for worker in workers):
            other = Process.find(parent) if running.is_master(parent) else None
            found.append(Rival(master, workers, other, replaces))
    return sorted(found, key=lambda rival: rival.master is None)


def refuse(found: Callable[[], list[Rival]], clock: Clock, kind: type[Refusal]) -> None:
    """Wait until nobody else takes requests. Raises an error of this kind if they do not end."""
    left: list[Rival] = []
    for _ in clock.poll(_POLL, clock.now() + _PATIENCE):
        if not (left := found()):
            return
    if left:
        raise left[0].refusal(kind)


def reaching_all(change: Callable[[], Done], file: ConfFile, found: Callable[[], list[Rival]], clock: Clock) -> Done:
    """
    Change the text in this file, and make sure that no process takes requests without it.

    Somebody may begin to replace nginx's program just then: the new master has read whichever text was in place, and
    our reload went to one of the two. So the text is read again once that has ended. Raises DeployFailed if it does not
    end; then the next change reloads, whatever text is in place.
    """
    try:
        done = change()
    except DeployFailed:
        if found():
            file.doubt()
        raise
    if not found():
        return done
    file.doubt()
    refuse(found, clock, DeployFailed)
    return change()


def orphans(master: Process) -> list[Process]:
    """Return the workers that take requests where this master's do, and whose own master is gone."""
    return [worker for rival in rivals(master, None) if rival.master is None for worker in rival.workers]


def finishing(master: Process) -> list[Process]:
    """
    Return the workers that take nothing new, of this master, of one that it replaces, and of masters that are gone.

    What these still have may lead to the addresses of a text of before.
    """
    parents = running.everybody()
    families = {master.pid, *_replacing(master, None, parents)}
    workers = running.all_workers(parents, shutting_down=True)
    known = [worker for worker, parent in workers if parent in families or not running.is_master(parent)]
    serving = {worker for worker, _ in running.all_workers(parents)}
    return [worker for worker in known if worker not in serving]


def _replacing(master: Process, pid_file: str | None, parents: Mapping[int, int]) -> set[int]:
    """
    Return the masters that replace this one's program or are replaced by it.

    The new master is a child of the old one, whose pid file then ends in .oldbin.
    """
    related = [parents.get(master.pid), *(pid for pid, parent in parents.items() if parent == master.pid)]
    related += [_number(f"{pid_file}.oldbin")] if pid_file else []
    owner = process.user_ids(master.pid)
    masters = {pid for pid in related if pid and running.is_master(pid)}
    return {pid for pid in masters - {master.pid} if process.user_ids(pid) == owner}


def _number(pid_file: str) -> int | None:
    """Return the number in a pid file, None where there is none or it is not to be believed."""
    try:
        entry = guarded.look(pid_file)
    except (Untrusted, OSError, ValueError):
        return None
    return entry.number if entry else None


def _sockets(master: Process) -> set[int]:
    """Return the listening sockets of a master, and those of others at the same addresses; empty if they are hidden."""
    own = _numbers(master)
    # In another network namespace, we cannot see which sockets listen: there, any common socket counts.
    return sock_diag.listening_beside(own) if own and namespaces.shares_network(master.pid) else own


def _numbers(of: Process) -> set[int]:
    return {inode for inode, number in sock_diag.socket_descriptors(of.pid) if number >= _FIRST_OWN}
