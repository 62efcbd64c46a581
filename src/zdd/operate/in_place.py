"""Code in place, without [release]: a restart loads what lies in the folder, also code that was refused."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from zdd import history
from zdd.conf.schema import RunService
from zdd.host import files
from zdd.instances.kept import Kept
from zdd.instances.state import InstanceState
from zdd.project import Project
from zdd.routing.manifest import Manifest

_NO_CODE = {"__pycache__", "node_modules", "venv"}  # and whatever is hidden
_MOST_FILES, _MOST_BYTES = 5_000, 64 << 20  # beyond, nobody would wait for the comparison
_KEPT = 50  # deploys whose code can be compared
_DAY = 86400.0


class Unwanted(NamedTuple):
    """A deploy whose code lies in the folder but is not to serve, since when, and what became of it."""

    deploy: int
    since: float
    code: str
    fate: str


class Code(NamedTuple):
    """What lies in the folders of the code: a digest, and when the last file of it was changed."""

    digest: str
    changed: float


def remember(project: Project, deploy: int) -> None:
    """Write down what the code of this deploy was. A full disk costs only the comparison."""
    if project.releases:
        return
    services = [one for one in project.config.services.values() if isinstance(one, RunService)]
    found = {folder: _look(project, folder) for folder in {str(one.cwd or project.config.folder) for one in services}}
    known = _known(project)
    known[str(deploy)] = {
        "conf": _conf(project),
        "folders": {folder: code.digest if code else None for folder, code in found.items()},
    }
    try:
        files.write(_path(project), json.dumps(dict(list(known.items())[-_KEPT:])), mode=0o600)
    except OSError:
        pass


def loaded(project: Project, current: Manifest | None, running: Mapping[str, InstanceState]) -> list[str]:
    """Return a sentence for each serving instance that was restarted since, and so runs code that nobody wants."""
    if project.releases or current is None:
        return []
    found = []
    for name in current.instances:
        one = running.get(name)
        if one is None or one.classic or one.state in ("dead", "warm"):
            continue
        where = str(Kept(name, project.paths, project.clock).record().get("cwd") or project.config.folder)
        since = one.since or time.time()  # it is about to be started
        unwanted = next((some for some in _unwanted(project, current) if some.since < since), None)
        if unwanted and _is_loaded(project, unwanted, current, where, since):
            verb = f"was restarted at {_clock(one.since)} and runs" if one.since else "is being restarted and loads"
            found.append(f"{name} {verb} {unwanted.code}: put the right code into {where} and run `zddeploy`")
    return found


def warning(project: Project, current: Manifest | None) -> list[str]:
    """Return the warning that is due when such code lies where a restart would load it."""
    unwanted = None if project.releases else next(_unwanted(project, current), None)
    if unwanted is None:
        return []
    which = f"deploy {unwanted.deploy}, which was {unwanted.fate}"
    return [f"the code in {project.config.folder} is still that of {which}: a crash or a reboot would load it"]


def _unwanted(project: Project, current: Manifest | None) -> Iterator[Unwanted]:
    """Yield the deploys whose code is not to be served, the newest first, back to the last one that was good."""
    back: history.Entry | None = None
    for entry in history.read(project.paths.history):
        if entry.action == "rollback":  # it starts nothing: what it brings back runs already
            back = entry if entry.outcome == "done" else back
        elif entry.outcome != "done":
            yield Unwanted(entry.deploy, entry.started, f"the code that deploy {entry.deploy} refused", "refused")
        else:
            if back and current and current.origin not in (None, entry.deploy):
                code = f"the code of deploy {entry.deploy}, which was rolled back"
                yield Unwanted(entry.deploy, back.started, code, "rolled back")
            return


def _is_loaded(project: Project, unwanted: Unwanted, current: Manifest, folder: str, since: float) -> bool:
    """
    Tell whether the app that was started in this folder at that moment runs that code, as far as zdd can know.

    It is not where that deploy was of another folder, where only the configuration was wrong, or where other code was
    put into the folder before.
    """
    known = _known(project)
    bad, good = known.get(str(unwanted.deploy)), known.get(str(current.origin or current.deploy))
    if bad is None:
        return True
    if folder not in bad["folders"]:
        return False
    digest, found = bad["folders"][folder], _look(project, folder)
    if digest is None or found is None:
        return True
    if good and good["folders"].get(folder) == digest and good["conf"] != bad["conf"]:
        return False
    return found.digest == digest or found.changed >= since


def _look(project: Project, folder: str) -> Code | None:
    """Return what the code is now; None where it is too much to look at, or cannot be read."""
    digest, changed, count, size = hashlib.sha256(), 0.0, 0, 0
    try:
        for path in _files(project, folder):
            found = os.lstat(path)
            count, size = count + 1, size + found.st_size
            if count > _MOST_FILES or size > _MOST_BYTES:
                return None
            changed = max(changed, found.st_ctime)
            digest.update(os.fsencode(path) + b"\0" + _content(path, found) + b"\0")
    except OSError:
        return None
    return Code(digest.hexdigest(), changed)


def _files(project: Project, folder: str) -> Iterator[str]:
    ours = {project.paths.state, project.paths.runtime, str(project.config.path)}
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not _is_aside(one) and f"{where}/{one}" not in ours)
        yield from (
            f"{where}/{name}" for name in sorted(names) if not _is_aside(name) and f"{where}/{name}" not in ours
        )


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name in _NO_CODE


def _content(path: str, found: os.stat_result) -> bytes:
    if stat.S_ISLNK(found.st_mode):
        return os.fsencode(os.readlink(path))
    if not stat.S_ISREG(found.st_mode):
        return b""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return hashlib.sha256(file.read(_MOST_BYTES)).digest()


def _conf(project: Project) -> str:
    return hashlib.sha256((files.read(str(project.config.path)) or "").encode()).hexdigest()


def _path(project: Project) -> str:
    return f"{project.paths.state}/code.json"


def _known(project: Project) -> dict[str, dict[str, Any]]:
    try:
        return files.read_object(_path(project))
    except OSError:
        return {}


def _clock(moment: float) -> str:
    near = abs(time.time() - moment) < _DAY
    return time.strftime("%H:%M" if near else "%Y-%m-%d %H:%M", time.localtime(moment))
