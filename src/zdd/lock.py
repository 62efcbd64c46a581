"""One changing command at a time, and who it is."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from collections.abc import Iterator

from zdd.errors import Locked
from zdd.host.lock import Busy, Lock
from zdd.project import Site


@contextlib.contextmanager
def changing(site: Site, command: str, timeout: float | None) -> Iterator[None]:
    """
    Make the folders, hold the lock and note signals, for as long as a changing command lasts.

    Raises Locked when somebody else changes this project for longer than `timeout` seconds, which is the project's
    lock_timeout unless given.
    """
    lock = Lock(site.places.lock)
    try:
        _acquire(site, lock, command, site.config.zdd.lock_timeout if timeout is None else timeout)
    except Busy as busy:
        raise _locked(site, busy.holder) from None
    try:
        if notice := site.places.prepare():
            site.report.event("notice", text=notice)
        with site.interrupts.caught():
            yield
    finally:
        lock.release()


def _acquire(site: Site, lock: Lock, command: str, timeout: float) -> None:
    holder: dict[str, object] = {"who": who(), "pid": os.getpid(), "command": command, "since": time.time()}
    deadline = time.monotonic() + timeout
    while lock.fd is None:
        site.places.make_room()
        try:
            lock.acquire(holder, deadline - time.monotonic())
        except FileNotFoundError:
            continue  # `down` removed the folder while we waited for the lock in it


def who() -> str:
    """Return who runs this: also behind sudo, the person and not root."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _locked(site: Site, holder: dict[str, object]) -> Locked:
    since = holder.get("since")
    ago = f", for {time.time() - since:.0f} s" if isinstance(since, float) else ""
    return Locked(
        f"{site.config.project} is being changed by {holder.get('who', 'somebody')}: "
        f"`{holder.get('command', 'zddeploy')}`, pid {holder.get('pid', 'unknown')}{ago}",
        hint="wait for it, or have zddeploy wait: --lock-timeout 60s",
    )
