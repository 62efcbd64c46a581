"""
A log that nginx writes by itself, and its rotation without a lost line.

nginx keeps its logs open, and opens them again by name at SIGUSR1: the master as itself, each worker
as its own user. A worker that cannot do so writes into the renamed file for ever. So its user can search the folder and
owns the file; nobody but us can make or rename anything there, and nothing there is followed that is a link.

Between the rename and the last worker's opening, lines come into both files. The mode of the new file says that this
may still be so: it is 0600 until no process of nginx has the older file open. The next look goes on from there.
Where an nginx has a right that we do not have, as an ordinary user's may have to low ports, the kernel does not show
what it has open: then the rotation is done once lines come into the new file and no longer into the older one.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time

from zdd.host import acl, files, process, rotation
from zdd.host.light import signal

_DONE, _UNDER_WAY = 0o640, 0o600
_OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_TITLES = ("nginx: ", "angie: ")
_PROGRAMS = ("nginx", "angie")  # the titles of one that starts: it opens its logs before it handles signals
_QUIET = 2.0  # seconds without a line, after which nobody writes into the older file


def make(path: str, writer: int) -> None:
    """
    Make the log's folder and the file, which belongs to `writer`, the user of nginx's workers. Idempotent.

    That user can search the folder and the one above it, whose other files are closed to others, if the file system has
    access lists; the other folders on the way are not ours to open. Raises OSError.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o750)
        os.chmod(folder, 0o750)
    if writer not in (0, os.geteuid()):
        _let_pass(folder, writer)
    status = _status(path)
    if status is None or status.st_uid != writer:  # root without capabilities may not open the writer's file
        is_done = _is_done(status) if status else not _holders(path)  # somebody may have removed it
        _create(path, writer, _DONE if is_done else _UNDER_WAY)


def rotate(path: str, most: int) -> bool:
    """
    Rename a log of more than `most` bytes (0: never) to PATH.1, and make nginx write into a new one.

    A call does what is due and does not wait; return whether nothing is left to do. The next call goes on with what
    this one, or a process that was killed, has begun. Where the workers cannot open the file by its name, its content
    is moved instead, see rotation.py.
    """
    try:
        status = _status(path)
        if not _is_due(path, status, most):
            return True
        with files.Opened(os.path.dirname(path), _FOLDER) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # all keepers of the project do it
            status = _status(path)
            return not _is_due(path, status, most) or _go_on(path, status, most)
    except OSError:
        return False


def _let_pass(folder: str, writer: int) -> None:
    above = os.path.dirname(folder)
    if all(acl.read(passed)[0].get(writer, 0) & acl.SEARCH for passed in (above, folder)):
        return
    try:
        acl.close_to_others(above)
        for passed in (above, folder):
            acl.let_also_pass(passed, writer)
    except OSError:  # without lists: then the log is rotated by copying
        pass


def _is_due(path: str, status: os.stat_result | None, most: int) -> bool:
    if status is None:  # killed after the rename; or somebody has removed the log, and nginx writes on into nothing
        return os.path.isdir(os.path.dirname(path))
    return not _is_done(status) or bool(most and status.st_size > most)


def _go_on(path: str, status: os.stat_result | None, most: int) -> bool:
    older = rotation.older(path)
    if status and _is_done(status):
        if not _can_open(os.path.dirname(path), status.st_uid):
            rotation.rotate(path, most)
            return True
        os.rename(path, older)
        status = None
    if status is None:
        renamed = _status(older)
        _create(path, renamed.st_uid if renamed else os.geteuid(), _UNDER_WAY)
    holders = _holders(path)
    for holder in holders:
        try:
            if process.title(holder.pid).startswith(_TITLES):  # one that starts would die of it
                holder.signal(signal.SIGUSR1)
        except PermissionError:  # not ours to tell, as after a change of the user that deploys
            pass
    if not holders:
        with files.Opened(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as fd:
            os.fchmod(fd, _DONE)
    return not holders


def _create(path: str, writer: int, mode: int) -> None:
    """Make the file, or give the one that nginx's master has made meanwhile to the writer."""
    with files.Opened(path, _OPEN, mode) as fd:
        status = os.fstat(fd)
        if status.st_uid != writer and os.geteuid() == 0:
            os.fchown(fd, writer, -1)
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(fd, mode)


def _holders(path: str) -> list[process.Process]:
    """Return the processes of nginx that have an older file open, and not only the new one, or may have."""
    real = f"{os.path.realpath(os.path.dirname(path))}/{os.path.basename(path)}"
    older = {rotation.older(real), f"{rotation.older(real)} (deleted)", f"{real} (deleted)"}
    running = [known for pid in process.numbers() if _is_nginx(process.title(pid)) for known in _found(pid)]
    opened = {known: _opened(known.pid) for known in running}
    is_left = None in opened.values() and _is_left(path)
    found = [known for known, names in opened.items() if (not is_left if names is None else older & names)]
    return sorted(found, key=lambda known: not process.title(known.pid).startswith(process.NGINX_MASTERS))


def _is_nginx(title: str) -> bool:
    return title.startswith(_TITLES) or os.path.basename(title.partition(" ")[0]) in _PROGRAMS


def _found(pid: int) -> list[process.Process]:
    return [known] if (known := process.Process.find(pid)) else []


def _opened(pid: int) -> set[str] | None:
    """Return the paths of the files that a process has open; None if it is ours, and that may not be seen."""
    opened = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                opened.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
    except PermissionError:
        return None if process.user_id(pid) == os.geteuid() else set()
    except OSError:
        pass
    return opened


def _is_left(path: str) -> bool:
    """Return whether lines come into the new file, and none into the older one."""
    new, older = _status(path), _status(rotation.older(path))
    silent = time.time() - older.st_mtime if older else _QUIET
    return new is not None and new.st_size > 0 and not 0 <= silent < _QUIET


def _can_open(folder: str, user: int) -> bool:
    """Return whether the user can reach what is in the folder."""
    if user in (0, os.geteuid()):
        return True
    import pwd  # here, because logs are rotated rarely

    from zdd.host import reach

    try:
        entry = pwd.getpwuid(user)
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    except KeyError:
        groups = []
    return reach.first_unsearchable_folder(folder, user, groups) is None


def _status(path: str) -> os.stat_result | None:
    """Return the status of a plain file, None if there is none. Raises OSError for anything else."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is no plain file")
    return status


def _is_done(status: os.stat_result) -> bool:
    return bool(status.st_mode & 0o040)
