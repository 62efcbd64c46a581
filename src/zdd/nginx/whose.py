"""Whose an nginx text is: the project of zdd that has written it, and whether that project lives."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from zdd import claims
from zdd.claims import Claim, user_name
from zdd.errors import UsageError
from zdd.host import guarded, process, sock_diag
from zdd.nginx.conf_file import text_of
from zdd.nginx.config import listen, parse
from zdd.nginx.config.parse import Directive
from zdd.nginx.process import master
from zdd.nginx.process.title import title_of

_CURRENT = "/current/"
_LINE = re.compile(r"# zdd \S+ uid [0-9]+ (?P<runtime>/.*)")


class Owner(NamedTuple):
    """A project of zdd: its runtime folder, the user that folder belongs to, and the claim in it."""

    runtime: str
    uid: int
    claim: Claim | None

    @property
    def project(self) -> str:
        """The project's name: the claim's, or else as far as its runtime folder tells it."""
        if self.claim and self.claim.project and re.fullmatch(r"[\w.-]{1,80}", self.claim.project):
            return self.claim.project
        folder, name = os.path.split(self.runtime)
        return os.path.basename(folder) if name == "run" else name

    @property
    def words(self) -> str:
        """Which project it is, whose, and of which configuration: a part of a sentence."""
        conf = f", {self.claim.conf}" if self.claim else f", {self.runtime}"
        return f"project {self.project} of {user_name(self.uid)}{conf}"

    def zddeploy(self, command: str) -> str:
        """Return a command line of that project."""
        sudo = "" if self.uid == os.geteuid() else f"sudo -u {user_name(self.uid)} "
        conf = f" -c {self.claim.conf}" if self.claim else ""
        return f"{sudo}zddeploy{conf} {command}"


def first_line(project: str, runtime: str) -> str:
    """Return the line by which a text is known as this project's."""
    return f"# zdd {project} uid {os.geteuid()} {runtime}"


def of_text(text: str) -> Owner | None:
    """Return the project that has written this text; None if none did, or if its runtime folder is gone."""
    line = _LINE.match(text)
    runtime = line["runtime"].rstrip() if line else _runtime(parse.parse(text))
    if runtime is None:
        return None
    try:
        status = os.lstat(runtime)
    except (OSError, ValueError):  # a stranger's text may name anything
        return None
    claim = claims.decode(guarded.read_of_user(f"{runtime}/owner", status.st_uid))
    known = claim or line or os.path.islink(f"{runtime}/current")
    return Owner(runtime, status.st_uid, claim) if stat.S_ISDIR(status.st_mode) and known else None


def lives(owner: Owner, text: str) -> bool:
    """Return whether somebody listens at a slot of the project that the text names; also True if we may not look."""
    if not os.path.islink(f"{owner.runtime}/current"):
        return False
    slots = [slot for slot in _slots(parse.parse(text)) if slot.startswith(f"{owner.runtime}{_CURRENT}")]
    listening = sock_diag.listening_files()
    for slot in slots:
        try:
            os.stat(slot)
        except PermissionError:
            return True
        except (OSError, ValueError):
            continue
        if sock_diag.file_of(slot) in listening:
            return True
    return not slots


def _runtime(directives: list[Directive]) -> str | None:
    """Return the runtime folder that a text without our line leads to: by its slots, else by its pid file."""
    if slot := next(_slots(directives), None):
        return slot.partition(_CURRENT)[0]
    pid_file = parse.value(directives, "pid", default="")
    return os.path.dirname(pid_file) if os.path.isabs(pid_file) else None


def _slots(directives: list[Directive]) -> Iterator[str]:
    """Yield what may be the slots of a project, of all that a text connects to."""
    for place in parse.walk(directives):
        for word in place.directive.args:
            _, _, path = word.partition("unix:")
            runtime, _, slot = path.partition(_CURRENT)
            if runtime.startswith("/") and slot:
                yield path


def of_state(folder: str) -> Owner | None:
    """Return the project whose state folder this is; other users may read whose it is, but not its nginx text."""
    try:
        uid = os.lstat(folder).st_uid
    except OSError:
        return None
    claim = claims.decode(guarded.read_of_user(f"{folder}/owner", uid))
    runtime = (guarded.read_of_user(f"{folder}/runtime", uid) or "").strip()
    return Owner(runtime, uid, claim) if claim and runtime else None


def at_port(port: int, holder: int | None) -> tuple[Owner, int] | None:
    """Return the project whose nginx listens on a port, and that nginx; `holder` is a process that does, if known."""
    uids = {socket.uid for socket in sock_diag.listening_on(port)}
    hidden = []
    for found, path in _configurations():
        text = text_of(path)
        if text is None:
            owner = of_state(path.removesuffix("/nginx/nginx.conf"))
            hidden += [(owner, found)] if owner and owner.uid in uids else []
        elif holder not in {None, found, *process.children(found)}:
            continue
        elif port in listen.ports(text) and (owner := of_text(text)):
            return owner, found
    return hidden[0] if len(hidden) == 1 and holder is None else None


def _configurations() -> Iterator[tuple[int, str]]:
    """Yield each nginx that names its configuration, and the path of that."""
    for found in master.visible():
        if path := title_of(found.pid).absolute_conf_file:
            yield found.pid, path


def require_own(file: str, text: str, runtime: str, conf: Path) -> None:
    """Raise UsageError if an include leads to another project that lives: its visitors would get our services."""
    owner = of_text(text)
    if owner is None or owner.runtime == runtime or not lives(owner, text):
        return
    if owner.uid == os.geteuid() and owner.claim and (owner.claim.is_of(conf) or owner.claim.is_void()):
        return
    raise UsageError(
        f"{file} leads to {owner.words}, which serves by it",
        hint=f"set include to another file; or take that project down first: `{owner.zddeploy('down')}`",
    )
