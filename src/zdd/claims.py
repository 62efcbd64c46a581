"""
Whose project a configuration file is: what was written down when it was deployed, compared with the file of now.

One file is one project, by whatever path it is reached: a link, a bind mount, a folder that was renamed.
"""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import msgspec

from zdd.host import untrusted


class Claim(msgspec.Struct, frozen=True):
    """
    That a configuration file is somebody's project, as R/owner and S/owner say it.

    `conf` is the path by which it was deployed, `known_as` the same as the shell spelled it where that goes through a
    link; `file` are the device and inode that it had. zdd 0.1.0 wrote `conf` alone.
    """

    conf: str
    known_as: str | None = None
    file: tuple[int, int] | None = None

    def covers(self, path: Path) -> bool:
        """Tell whether it is about the file at this path; for somebody else's claim, whose own path is not touched."""
        return self._names(path) or (self.file is not None and self.file == _file(path))

    def is_of(self, path: Path) -> bool:
        """Tell whether it is about the file at this path; for a claim of our own."""
        return self._names(path) or _same(self.conf, path)

    def is_void(self) -> bool:
        """Tell whether the file that it names is gone."""
        try:
            os.stat(self.conf)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def _names(self, path: Path) -> bool:
        return bool({str(path), os.path.realpath(path), _as_spelled(path)} & {self.conf, self.known_as})


def of(path: Path, known: Claim | None) -> Claim:
    """
    Return the claim on the file at this path, which renews a known one.

    Of two paths to one file the one that goes through a link is kept: it stays when what it leads to is replaced.
    """
    conf, spelled = str(path), _as_spelled(path)
    if known and os.path.realpath(path) == conf and _same(known.conf, path):
        conf = known.conf
    if known and known.known_as and spelled == str(path) and _same(known.known_as, path):
        spelled = known.known_as
    return Claim(conf, spelled if spelled != conf else None, _file(path))


def decode(text: str | None) -> Claim | None:
    """Return the claim that a file's text makes; None where it makes none."""
    try:
        return msgspec.json.decode(text or "", type=Claim)
    except msgspec.MsgspecError:
        return None


def encode(claim: Claim, **more: Any) -> str:
    """Return the text of a claim, with `more` beside it."""
    return json.dumps({name: value for name, value in (msgspec.to_builtins(claim) | more).items() if value is not None})


def others(path: Path) -> list[int]:
    """Return the users whose project the file may be rather than ours: its owner, who called sudo, and root."""
    us, found = os.geteuid(), {0} if os.geteuid() else set()
    try:
        found.add(os.stat(path).st_uid)
    except OSError:
        pass
    caller = os.environ.get("SUDO_UID", "")
    if us == 0 and caller.isdecimal():
        found.add(int(caller))
    return sorted(found - {us})


def state_of(project: str, uid: int) -> str:
    """Return where a user's state of a project is, unless the configuration says otherwise. Raises KeyError."""
    return f"/var/lib/zdd/{project}" if uid == 0 else f"{pwd.getpwuid(uid).pw_dir}/.local/state/zdd/{project}"


def claimed_by(path: Path, project: str, uid: int) -> str | None:
    """
    Return the folder that shows that this other user has deployed this very file; None when nothing does.

    Only files that belong to the user count, and what they say leads to no more than this answer.
    """
    try:
        state = state_of(project, uid)
    except KeyError:
        return None
    runtime = (untrusted.read(f"{state}/runtime", uid) or "").strip()
    for folder in (state, runtime, f"/run/zdd/{project}"):
        claim = decode(untrusted.read(f"{folder}/owner", uid)) if os.path.isabs(folder) else None
        if claim and claim.covers(path):
            return folder
    return None


def _same(one: str, path: Path) -> bool:
    try:
        return os.path.samefile(one, path)
    except OSError:
        return False


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _as_spelled(path: Path) -> str:
    """Return the path as the user's shell spells it: inside $PWD, which keeps the links that somebody went through."""
    spelled = os.environ.get("PWD", "")
    try:
        here = os.getcwd()
        if os.path.isabs(spelled) and path.is_relative_to(here) and os.path.samefile(spelled, here):
            return os.path.join(spelled, path.relative_to(here))
    except OSError:
        pass
    return str(path)
