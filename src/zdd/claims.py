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

from zdd.errors import UsageError
from zdd.host import guarded


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


def check_user(folder: str) -> None:
    """Raise UsageError where a folder of the project belongs to another user, or cannot be looked at."""
    try:
        owner = os.stat(folder).st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot look at {folder}: {error.strerror}") from error
    if owner != os.geteuid():
        name = user_name(owner)
        raise UsageError(
            f"{folder} belongs to {name}, and you are {user_name(os.geteuid())}",
            hint=f"run zddeploy as {name}: sudo -u {name} zddeploy",
        )


def check_conf(claim: Claim | None, path: Path, project: str) -> None:
    """Raise UsageError where the project is claimed by another configuration file that is still there."""
    if claim and not claim.is_of(path) and not claim.is_void():
        raise UsageError(
            f"project {project} belongs to {claim.conf}, not to {path}",
            hint=f'run `zddeploy -c {claim.conf}`, or give this one its own name: [zdd] project = "..."',
        )


def check_others(path: Path, project: str) -> None:
    """Raise UsageError where another user has deployed this very file: a second one would take the site over."""
    for uid in _others(path):
        if folder := claimed_by(path, project, uid):
            sudo, us = f"sudo -u {user_name(uid)}" if uid else "sudo", user_name(os.geteuid())
            once = f"once it is `down`, and {state_of(project, uid)} is removed, {us} may deploy it"
            raise UsageError(
                f"{path} is deployed by {user_name(uid)} ({folder}), and you are {us}",
                hint=f"run zddeploy as {user_name(uid)}: `{sudo} zddeploy -c {path}`; {once}",
            )


def _others(path: Path) -> list[int]:
    """Return the users whose project the file may be rather than ours: its owner, who called sudo, and root."""
    us, users = os.geteuid(), {0} if os.geteuid() else set()
    try:
        users.add(os.stat(path).st_uid)
    except OSError:
        pass
    caller = os.environ.get("SUDO_UID", "")
    if us == 0 and caller.isdecimal():
        users.add(int(caller))
    return sorted(users - {us})


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
    runtime = (guarded.read_of_user(f"{state}/runtime", uid) or "").strip()
    for folder in (state, runtime, f"/run/zdd/{project}"):
        claim = decode(guarded.read_of_user(f"{folder}/owner", uid)) if os.path.isabs(folder) else None
        if claim and claim.covers(path):
            return folder
    return None


def _same(known: str, path: Path) -> bool:
    try:
        return os.path.samefile(known, path)
    except OSError:
        return False


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


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


def user_name(uid: int) -> str:
    """Return the user's name, or the number where passwd does not know it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
