"""Namespaces of other processes (namespaces(7)): which network they are in, and which folders they see."""

from __future__ import annotations

import os

from zdd.host import proc, process
from zdd.host.light import socket

_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO, a constant of the kernel


def shares_network(pid: int) -> bool | None:
    """Return whether a process is in our network namespace; None if unknown, for example where /proc hides it."""
    theirs, ours = _namespace(pid, "net"), _namespace("self", "net")
    if theirs and ours:
        return theirs == ours
    with socket.socket(socket.AF_UNIX) as own:
        own.bind("")  # an abstract name that the kernel chooses: without a name the table does not show it
        inode = os.fstat(own.fileno()).st_ino
        table = proc.read(f"/proc/{pid}/net/unix")  # of its namespace; other users may read it
    return any(line.split()[6:7] == [b"%d" % inode] for line in table.splitlines()) if table else None


def root(pid: int) -> str:
    """Return the prefix of paths as the process sees them; "" if they are ours, or if we may not look."""
    theirs = f"/proc/{pid}/root"
    try:
        if _namespace(pid, "mnt") != _namespace("self", "mnt") or not os.path.samefile(theirs, "/"):
            os.stat(f"{theirs}/.")
            return theirs
    except OSError:
        pass
    return ""


def sees(pid: int, path: str) -> bool | None:
    """
    Return whether the process finds the same file or folder at this path as we do; None if that is unknown.

    A path that does not exist yet counts as seen if its nearest existing folder is. Of another user's process only the
    mounts are known (proc_pid_mountinfo(5)): they are compared then.
    """
    path = os.path.realpath(path)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    try:
        ours = os.stat(path)
        os.stat(f"/proc/{pid}/root/.")
    except OSError:
        theirs, own = _on_mount(pid, path), _on_mount("self", path)
        return None if theirs is None or own is None else theirs == own
    try:
        return os.path.samestat(ours, os.stat(f"/proc/{pid}/root{path}"))
    except OSError:
        return False


def is_private(path: str) -> bool:
    """
    Return whether a unit's or container's own mounts hide this path from the machine's first process, or it from us.

    False if that is unknown, and in a chroot, whose processes all see something else.
    """
    theirs = _namespace(1, "mnt")
    if theirs and theirs == _namespace("self", "mnt"):
        return False
    return sees(1, path) is False and sees(1, "/") is True


def is_in_memory(path: str) -> bool:
    """Return whether this file lies on a tmpfs (tmpfs(5)), so that it does not survive a boot. Raises OSError."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    mounts = proc.read("/proc/self/mountinfo").splitlines()
    return any(b" - tmpfs " in line and line.split()[2] == number for line in mounts)


def is_mapped(uid: int) -> bool:
    """Return whether our user namespace contains this user (user_namespaces(7)); True if that is unknown."""
    ranges = [[int(number) for number in line.split()] for line in proc.read("/proc/self/uid_map").splitlines()]
    return not ranges or any(first <= uid < first + count for first, _, count in ranges)


def is_first_of_pids() -> bool:
    """Return whether we see all processes of the machine, as far as /proc hides none: no container surrounds us."""
    return _namespace("self", "pid") == _FIRST_PID_NAMESPACE


def hides_processes() -> bool:
    """Return whether /proc hides other users' processes from us (hidepid, proc(5)): process 1 always exists."""
    return process.stat_fields(1) is None


def is_hidden(pid: int) -> bool:
    """Return whether a process with this number exists that /proc hides from us."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process.stat_fields(pid) is None


def _namespace(pid: int | str, kind: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def _on_mount(pid: int | str, path: str) -> tuple[bytes, str] | None:
    """Return the file system that the process has at this path, and the path in it; None if that cannot be read."""
    best: tuple[str, tuple[bytes, str]] | None = None
    for line in proc.read(f"/proc/{pid}/mountinfo").splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        device, inside, point = fields[2], _plain(fields[3]), _plain(fields[4]).rstrip("/")
        if path == point or path.startswith(f"{point}/"):
            found = device, f"{inside.rstrip('/')}{path[len(point) :]}"
            if best is None or len(point) >= len(best[0]):  # a later mount covers an earlier one
                best = point, found
    return best[1] if best else None


def _plain(field: bytes) -> str:
    """Return a path of mountinfo without its escapes for spaces and the like."""
    text = os.fsdecode(field)
    if "\\" not in text:
        return text
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escaped, character)
    return text
