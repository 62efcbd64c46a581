"""What zdd changes about its own process: umask, user, subreaper, handlers of signals, and how it ends."""

from __future__ import annotations

import os

from zdd.host.light import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

UMASK = 0o022  # others may read, only the owner may write

_callers_umask = -1


def set_umask() -> None:
    """Set zdd's own umask, so that its files have the same modes for every caller; programs it starts inherit it."""
    global _callers_umask
    _callers_umask = os.umask(UMASK)


def callers_umask() -> int:
    """Return the umask that zdd was called with, for programs that need it; -1 means no change."""
    return _callers_umask


def become_subreaper() -> None:
    """Adopt orphaned descendants in place of init (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    pr_set_child_subreaper = 36
    if not prctl(pr_set_child_subreaper, 1):
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed")  # a kernel before Linux 3.4


def prctl(option: int, second: int = 0, third: int = 0) -> bool:
    """Change an attribute of this process by the system call of this name; return whether that succeeded."""
    import _ctypes  # the core of ctypes, for less than half of its memory, which a keeper holds for months

    ourselves = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # typeshed lacks None here
    call = _ctypes.dlsym(ourselves, "prctl")
    return bool(_ctypes.call_cdeclfunction(call, (option, second, third, 0, 0)) == 0)


def fork(record: Callable[[int], object]) -> int:
    """
    Fork; return the number of the child, and 0 in it. The child goes on once `record` was called with its number.

    If this process is killed before that, the child ends: nobody would know of it. Raises OSError.
    """
    waits, goes_on = os.pipe()
    try:
        try:
            if pid := os.fork():
                _record(pid, record, goes_on)
        finally:
            os.close(goes_on)
        if pid == 0 and not os.read(waits, 1):
            os._exit(0)
    finally:
        os.close(waits)
    return pid


def _record(pid: int, record: Callable[[int], object], goes_on: int) -> None:
    try:
        record(pid)
    finally:
        os.write(goes_on, b".")  # it cannot fail: we have the other end, too


def change_user(uid: int | None, gid: int | None, groups: list[int] | None) -> None:
    """Change the user, group and groups of this process; None keeps one. Raises OSError if that is not permitted."""
    if groups is not None and os.geteuid() == 0:
        os.setgroups(groups)
    if gid is not None:
        os.setgid(gid)
    if uid is not None:
        os.setuid(uid)


class Handlers:
    """Handlers of signals for a `with`, by hand like `files.Opened`: the former ones are restored at its end."""

    def __init__(self, handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]) -> None:
        self._handlers = handlers

    def __enter__(self) -> None:
        self._former = {number: signal.signal(number, handler) for number, handler in self._handlers.items()}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)


def die_of(number: int) -> None:
    """End by this signal, so that our parent sees how our program ended."""
    import resource  # here, because only this function needs it

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # only the program's own core dump is of interest
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
