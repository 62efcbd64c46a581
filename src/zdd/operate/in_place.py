"""Code in place, without [release]: a restart loads whatever is in the folder, even rejected code."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from zdd import history
from zdd.conf.units import DAY
from zdd.host import files
from zdd.instances.state import InstanceState
from zdd.keeper.record import Record
from zdd.project import Project
from zdd.routing.manifest import Manifest

_NO_CODE = {"__pycache__", "node_modules", "venv"}  # besides hidden files
_MOST_FILES, _MOST_BYTES = 5_000, 64 << 20  # comparing more would take too long
_KEPT = 50  # deploys whose code can be compared


class Unwanted(NamedTuple):
    """A deploy whose code is in the folder but must not serve, since when, and why: it was rejected or rolled back."""

    deploy: int
    since: float
    why: str


class Code(NamedTuple):
    """The content of a folder of code: a digest, and the time of the last change."""

    digest: str
    changed: float


def remember(project: Project, deploy: int) -> None:
    """Record what the code of this deploy is. On a full disk only this comparison is lost."""
    if project.releases:
        return
    folders = {str(service.cwd or project.config.folder) for service in project.config.apps.values()}
    codes = {folder: _look(project, folder) for folder in folders}
    records = _records(project)
    records[str(deploy)] = {
        "conf": _digest(project.config.path),
        "folders": {folder: code.digest if code else None for folder, code in codes.items()},
    }
    try:
        files.write(project.paths.code, json.dumps(dict(list(records.items())[-_KEPT:])), mode=0o600)
    except OSError:
        pass


def _digest(path: Path) -> str:
    """Return the digest of a file, of nothing if the file cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    return hashlib.sha256(content).hexdigest()


def loaded(project: Project, current: Manifest | None, running: Mapping[str, InstanceState]) -> Iterator[str]:
    """Yield a sentence for each serving instance that has been restarted and so runs unwanted code."""
    if project.releases or current is None:
        return
    # Most folders have no unwanted code, and the records of all instances are many.
    for name in current.instances if (known := list(_unwanted(project, current))) else ():
        instance = running.get(name)
        if instance is None or instance.classic or instance.state in ("dead", "warm"):
            continue
        record = Record.find(project.paths.record(name))
        where = record.cwd if record else str(project.config.folder)
        since = instance.since or time.time()  # without `since` it is about to start
        unwanted = next((unwanted for unwanted in known if unwanted.since < since), None)
        if unwanted and _is_loaded(project, unwanted, current, where, since):
            restarted = f"was restarted at {_clock(since)} and runs" if instance.since else "is restarting and loads"
            code = f"the code of deploy {unwanted.deploy}, which was {unwanted.why}"
            yield f"{name} {restarted} {code}: put the right code into {where} and run `zddeploy`"


def warning(project: Project, current: Manifest | None) -> Iterator[str]:
    """Yield a warning if a restart would load unwanted code. Nothing is said where it is unknown what the code is."""
    if project.releases or current is None:
        return
    records = _records(project)
    good = records.get(str(current.origin or current.deploy), {}).get("folders", {})
    for unwanted in _unwanted(project, current):
        bad = records.get(str(unwanted.deploy), {}).get("folders", {})
        for folder in _folders(project, current):
            digest = bad.get(folder)
            if digest is None or digest == good.get(folder):
                continue
            if (code := _look(project, folder)) and code.digest == digest:
                problem = f"deploy {unwanted.deploy} was {unwanted.why}, but its code is still in {folder}"
                yield f"{problem}: a crash or reboot would load it"
                return


def _folders(project: Project, current: Manifest) -> Iterator[str]:
    """Yield the folders from which the instances that serve would be started again, each once."""
    found = (Record.find(project.paths.record(name)) for name in current.instances)
    yield from dict.fromkeys(record.cwd if record else str(project.config.folder) for record in found)


def _unwanted(project: Project, current: Manifest | None) -> Iterator[Unwanted]:
    """Yield the deploys whose code must not serve, newest first, back to the last good one."""
    rollback: history.Entry | None = None
    for entry in history.known(project.paths.history):
        if entry.action == "rollback":  # it loads no code: its instances run already
            rollback = entry if entry.outcome == "done" else rollback
        elif entry.outcome != "done":
            yield Unwanted(entry.deploy, entry.started, "rejected")
        else:
            if rollback and current and current.origin not in (None, entry.deploy):
                yield Unwanted(entry.deploy, rollback.started, "rolled back")
            return


def _is_loaded(project: Project, unwanted: Unwanted, current: Manifest, folder: str, since: float) -> bool:
    """
    Return whether an app started in this folder at this time runs the unwanted code, as far as zdd can know.

    It does not if the unwanted deploy used another folder, if only its configuration was wrong, or if the folder had
    other code by then.
    """
    records = _records(project)
    bad, good = records.get(str(unwanted.deploy)), records.get(str(current.origin or current.deploy))
    if bad is None:
        return True
    if folder not in bad["folders"]:
        return False
    digest, code = bad["folders"][folder], _look(project, folder)
    if digest is None or code is None:
        return True
    if good and good["folders"].get(folder) == digest and good["conf"] != bad["conf"]:
        return False
    return code.digest == digest or code.changed >= since


def _look(project: Project, folder: str) -> Code | None:
    """Return the code as it is now, None if it is too much to compare or cannot be read."""
    digest, changed, count, size = hashlib.sha256(), 0.0, 0, 0
    try:
        for path in _files(project, folder):
            status = os.lstat(path)
            count, size = count + 1, size + status.st_size
            if count > _MOST_FILES or size > _MOST_BYTES:
                return None
            changed = max(changed, status.st_ctime)
            digest.update(os.fsencode(path) + b"\0" + _content(path, status) + b"\0")
    except OSError:
        return None
    return Code(digest.hexdigest(), changed)


def _files(project: Project, folder: str) -> Iterator[str]:
    ours = {project.paths.state, project.paths.runtime, str(project.config.path)}

    def is_code(path: str) -> bool:
        name = os.path.basename(path)
        return not name.startswith(".") and name not in _NO_CODE and path not in ours

    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if is_code(f"{where}/{name}"))
        yield from filter(is_code, (f"{where}/{name}" for name in sorted(names)))


def _content(path: str, status: os.stat_result) -> bytes:
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(os.readlink(path))
    if not stat.S_ISREG(status.st_mode):
        return b""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return hashlib.sha256(file.read(_MOST_BYTES)).digest()


def _records(project: Project) -> dict[str, dict[str, Any]]:
    try:
        known = files.read_object(project.paths.code)
    except OSError:
        return {}
    return {deploy: record for deploy, record in known.items() if _is_whole(record)}


def _is_whole(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("folders"), dict) and "conf" in record


def _clock(moment: float) -> str:
    near = abs(time.time() - moment) < DAY
    return time.strftime("%H:%M" if near else "%Y-%m-%d %H:%M", time.localtime(moment))
