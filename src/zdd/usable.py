"""Whether the folders of a project can be read and written, and what to change if not."""

from __future__ import annotations

import os
import stat

from zdd.claims import user_name
from zdd.errors import UsageError
from zdd.host import namespaces

_HIDING = (  # what hides the folders below these places
    ("/run/", "no TemporaryFileSystem=/run"),
    ("/tmp/", "PrivateTmp=no"),
    ("/var/tmp/", "PrivateTmp=no"),
    ("/home/", "ProtectHome=no"),
    ("/root/", "ProtectHome=no"),
)
_OTHERS = "no TemporaryFileSystem= or BindPaths= over it"


def check_writable(folder: str, key: str) -> None:
    """
    Raise UsageError if the folder, or one in it, cannot be written; a missing one if it cannot be made.

    `key` is the key of the configuration that names it.
    """
    for path in (_nearest(folder), *_entries(folder)):
        if not os.path.isdir(path) or os.path.islink(path) or os.access(path, os.W_OK | os.X_OK):
            continue
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            is_there = os.path.isdir(folder)
            raise UsageError(
                f"{path} is read-only here{'' if is_there else f', and {folder} has to be made'}",
                hint=f"{'' if is_there else 'make it; '}in a unit (ProtectSystem=, ReadOnlyPaths=), add "
                f"ReadWritePaths={folder}; else mount it for writing, or set {key} in [zdd] to another folder",
            )
        hint = _give_back(folder) if os.path.isdir(folder) else f"set {key} in the [zdd] section to a folder of yours"
        raise UsageError(f"{path} cannot be written: {_owned(path)}", hint=hint)


def private(folder: str) -> UsageError | None:
    """Return the error for a folder that a unit's own mounts put in the place of the machine's; None if none do."""
    if not namespaces.is_private(folder):
        return None
    setting = next((setting for place, setting in _HIDING if f"{folder}/".startswith(place)), _OTHERS)
    return UsageError(
        f"{folder} is not the one that the rest of the machine sees: the unit that runs zddeploy has its own",
        hint=f"{setting} in that unit; or BindPaths= with that folder",
    )


def check_readable(folder: str) -> None:
    """Raise UsageError if the folder, or an entry in it, exists and cannot be read."""
    for path in (folder, *_entries(folder)):
        mode = _mode(path)
        wanted = os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK
        if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and not os.access(path, wanted):
            raise UsageError(f"{path} cannot be read: {_owned(path)}", hint=_give_back(folder))


def _nearest(folder: str) -> str:
    """Return the folder, or the nearest one above it that exists."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder


def _entries(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    except OSError:  # missing, or unreadable itself
        return []


def _mode(path: str) -> int:
    """Return the file's mode, without following a link; 0 if there is none or it cannot be looked at."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _owned(path: str) -> str:
    status = os.stat(path)
    return f"it belongs to {user_name(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):o}"


def _give_back(folder: str) -> str:
    return f"give it back: `sudo chown -R {user_name(os.geteuid())} {folder}; chmod -R u+rwX {folder}`"
