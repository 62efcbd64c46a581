"""
Who owns a project: the claim that a deploy records, compared with the configuration file of now.

One file is one project, by whatever path it is reached: a link, a bind mount, a renamed folder.
"""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import msgspec

from zdd import typed
from zdd.errors import UsageError
from zdd.host import files, foreign, guarded
from zdd.typed import Damaged


class Claim(msgspec.Struct, frozen=True):
    """
    A user's claim that a configuration file is their project, recorded in R/owner and S/owner.

    `conf` is the path by which it was deployed; `known_as` is the path as the shell spelled it, if that goes through a
    link; `file` is the device and inode that it had; `project` is its name. zdd 0.1.0 wrote only `conf`.
    """

    conf: str
    known_as: str | None = None
    file: tuple[int, int] | None = None
    project: str | None = None

    def covers(self, path: Path) -> bool:
        """Return whether the claim of another user is on the file at this path; does not touch the claim's own path."""
        return self._names(path) or (self.file is not None and self.file == _file(path))

    def is_of(self, path: Path) -> bool:
        """Return whether the claim, one of our own, is on the file at this path."""
        return self._names(path) or files.is_same(self.conf, path)

    def is_void(self) -> bool:
        """Return whether the claimed file no longer exists."""
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
    Return the claim on the file at this path, which renews a known claim.

    Of two paths to one file, the path through a link is kept: it stays valid when the link's target is replaced.
    """
    conf, spelled = str(path), _as_spelled(path)
    if known and os.path.realpath(path) == conf and files.is_same(known.conf, path):
        conf = known.conf
    if known and known.known_as and spelled == str(path) and files.is_same(known.known_as, path):
        spelled = known.known_as
    return Claim(conf, spelled if spelled != conf else None, _file(path))


def decode(text: str | None) -> Claim | None:
    """Return the claim in a file's text; None if it contains none."""
    try:
        claim = typed.decode(text or "", Claim)
    except Damaged:
        return None
    return None if "\0" in claim.conf + (claim.known_as or "") else claim


def encode(claim: Claim, **more: Any) -> str:
    """Return the text of a claim with more fields."""
    return json.dumps({name: value for name, value in (msgspec.to_builtins(claim) | more).items() if value is not None})


def check_user(folder: str) -> None:
    """Raise UsageError if a folder of the project belongs to another user or cannot be inspected."""
    try:
        owner = os.stat(folder).st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "a folder above it may not be passed: open it, or set state_dir and runtime_dir in the [zdd] section"
        raise UsageError(f"cannot look at {folder}: {error.strerror}", hint=hint) from error
    if owner != os.geteuid():
        name = user_name(owner)
        raise UsageError(
            f"{folder} belongs to {name}, and you are {user_name(os.geteuid())}",
            hint=f"run zddeploy as {name}: sudo -u {name} zddeploy",
        )


def check_conf(claim: Claim | None, path: Path, project: str) -> None:
    """Raise UsageError if the project is claimed by another configuration file that still exists."""
    if claim and not claim.is_of(path) and not claim.is_void():
        raise UsageError(
            f"project {project} belongs to {claim.conf}, not to {path}",
            hint=f'run `zddeploy -c {claim.conf}`, or give this one its own name: [zdd] project = "..."',
        )


def check_others(path: Path, project: str) -> None:
    """Raise UsageError if another user has deployed this file: we would take the project over."""
    for uid in _others(path):
        if folder := claimed_by(path, project, uid):
            sudo, us = f"sudo -u {user_name(uid)}" if uid else "sudo", user_name(os.geteuid())
            once = f"once it is `down`, and {state_of(project, uid)} is removed, {us} may deploy it"
            raise UsageError(
                f"{path} is deployed by {user_name(uid)} ({folder}), and you are {us}",
                hint=f"run zddeploy as {user_name(uid)}: `{sudo} zddeploy -c {path}`; {once}",
            )


def _others(path: Path) -> list[int]:
    """Return the other users who may have deployed the file: its owner, the caller of sudo, and root."""
    us, users = os.geteuid(), {0} if os.geteuid() else set[int]()
    try:
        users.add(os.stat(path).st_uid)
    except OSError:
        pass
    caller = foreign.number(os.environ.get("SUDO_UID", ""), (1 << 32) - 2)
    if us == 0 and caller is not None:
        users.add(caller)
    return sorted(users - {us})


def state_of(project: str, uid: int) -> str:
    """Return the default state folder of a user's project. Raises UsageError for a user without a home."""
    return f"{home_of(uid)}/{project}"


def home_of(uid: int) -> str:
    """Return the folder of a user's state folders. Raises UsageError for a user that passwd does not contain."""
    if uid == 0:
        return "/var/lib/zdd"
    try:
        return f"{pwd.getpwuid(uid).pw_dir}/.local/state/zdd"
    except KeyError:
        raise UsageError(
            f"passwd does not contain user {uid}, so there is no home for the project's state",
            hint="set state_dir in the [zdd] section to a folder of yours",
        ) from None


def claimed_by(path: Path, project: str, uid: int) -> str | None:
    """
    Return the folder that shows that this other user has deployed this file; None if there is none.

    Only files that belong to the user count; their content has no other effect than this answer.
    """
    try:
        state = state_of(project, uid)
    except UsageError:
        return None
    runtime = (guarded.read_of_user(f"{state}/runtime", uid) or "").strip()
    for folder in (state, runtime, f"/run/zdd/{project}"):
        claim = decode(guarded.read_of_user(f"{folder}/owner", uid)) if os.path.isabs(folder) else None
        if claim and claim.covers(path):
            return folder
    return None


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _as_spelled(path: Path) -> str:
    """Return the path as the user's shell spells it: inside $PWD, which keeps links."""
    spelled = os.environ.get("PWD", "")
    try:
        here = os.getcwd()
        if os.path.isabs(spelled) and path.is_relative_to(here) and os.path.samefile(spelled, here):
            return os.path.join(spelled, path.relative_to(here))
    except OSError:
        pass
    return str(path)


def user_name(uid: int) -> str:
    """Return the user's name, or the number if passwd does not contain it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def who() -> str:
    """Return who runs this command; behind sudo the person, not root."""
    name = os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or user_name(os.geteuid())
    return name.encode(errors="backslashreplace").decode()  # a variable may hold any bytes; records are UTF-8
