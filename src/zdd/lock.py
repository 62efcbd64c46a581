"""The project's lock: one changing command at a time, and who runs it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from zdd.claims import user_name
from zdd.errors import Locked
from zdd.host.lock import Busy, Lock
from zdd.project import Project


@contextlib.contextmanager
def holding(project: Project, command: str, timeout: float | None) -> Iterator[None]:
    """
    Make the folders, hold the lock and note signals while a changing command runs.

    Raises Locked if another command holds the lock for longer than `timeout` seconds, by default the project's
    lock_timeout.
    """
    lock = Lock(project.paths.lock)
    try:
        _acquire(project, lock, command, project.config.zdd.lock_timeout if timeout is None else timeout)
    except Busy as busy:
        raise _locked(project, busy.holder) from None
    try:
        if notice := project.paths.prepare():
            project.events.notice(notice)
        with project.interrupts.caught():
            yield
    finally:
        lock.release()


def _acquire(project: Project, lock: Lock, command: str, timeout: float) -> None:
    holder: dict[str, object] = {"who": who(), "pid": os.getpid(), "command": command, "since": time.time()}
    deadline = time.monotonic() + timeout
    while lock.fd is None:
        project.paths.make_room()
        try:
            lock.acquire(holder, deadline - time.monotonic())
        except FileNotFoundError:
            continue  # `down` removed the folder while we waited for its lock


def who() -> str:
    """Return who runs this command; behind sudo the person, not root."""
    return os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or user_name(os.geteuid())


def _locked(project: Project, holder: dict[str, object]) -> Locked:
    since = holder.get("since")
    ago = f", for {time.time() - since:.0f} s" if isinstance(since, float) else ""
    return Locked(
        f"{project.name} is being changed by {holder.get('who', 'somebody')}: "
        f"`{holder.get('command', 'zddeploy')}`, pid {holder.get('pid', 'unknown')}{ago}",
        hint="wait, or let zddeploy wait: --lock-timeout 60s",
    )
