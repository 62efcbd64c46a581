"""
The configuration last deployed, for commands that need none of today's: they work beside a broken configuration file.

What it was is in S/deploys/N.json. Where S is, the claim says that each deploy writes there (see claims.py): a state
folder belongs to this configuration file only if its claim does, wherever its name was found.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from zdd import claims
from zdd.conf.read import NAMES, valid_name
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.host import files, foreign, proc, process
from zdd.layout import Layout
from zdd.routing.tables import RoutingTables
from zdd.snapshot import Snapshot, Snapshots

_RUN = "/run/zdd"
_KEEPER = "/zdd/keeper/__main__.py"
_RECORD = re.compile(r"(/.+)/control/[^/]+\.json")
_STATE_DIR = re.compile(r"""(?m)^\s*state_dir\s*[=:]\s*["']?([^"'#\n]+)""")


def config(path: Path, problem: UsageError) -> Config | None:
    """
    Return the configuration with which the file at `path` was last deployed; None if there is no record of it.

    Its warning says so, and the problem with today's.
    """
    for state in _claimed(path):
        if snapshot := _newest(state, path.parent):
            return _config(path, state, snapshot, problem)
    return None


def path_of(explicit: Path | None, cwd: Path) -> Path | None:
    """Return the path of a configuration file that was deployed and no longer exists; None if there is none."""
    names = [explicit] if explicit else NAMES
    paths = [Path(os.path.abspath(cwd / name)) for name in names]
    return next((path for path in paths if any(_claimed(path))), None)


def _config(path: Path, state: str, snapshot: Snapshot, problem: UsageError) -> Config:
    used = f"the configuration of deploy {snapshot.deploy}, the last one deployed, is used instead of today's"
    today = Config(
        path=path,
        folder=path.parent,
        project=snapshot.zdd.project or _default_project(path, state),
        zdd=replace(snapshot.zdd, state_dir=Path(state)),
        nginx=snapshot.nginx,
        services={},
        release=snapshot.built,
        warnings=[],
    )
    return replace(snapshot.config(today), warnings=[f"{used}: {problem.message}"])


def _newest(state: str, folder: Path) -> Snapshot | None:
    """Return the snapshot of the deploy in force, else the newest one."""
    runtime = _text(f"{state}/runtime").strip()
    snapshots = Snapshots(Layout(state, runtime).deploys, folder)
    current = RoutingTables(Layout(state, runtime)).current() if runtime else None
    numbers = [*([current.deploy] if current else []), *sorted(snapshots.headers(), reverse=True)]
    return next((snapshot for number in numbers if (snapshot := snapshots.read(number))), None)


def _default_project(path: Path, state: str) -> str:
    return os.path.basename(state) if os.path.dirname(state) == _home() else valid_name(path.parent.name)


def _claimed(path: Path) -> Iterator[str]:
    """Yield the state folders whose claim is on this file."""
    for state in _states(path):
        claim = claims.decode(_text(f"{state}/owner"))
        if claim and claim.is_of(path):
            yield state


def _states(path: Path) -> Iterator[str]:
    """
    Yield the folders that may be the state folder.

    First the one that the file names, even if it is broken; then all in the usual place; then those of what runs.
    """
    if named := _STATE_DIR.search(_text(str(path))):
        yield os.path.join(path.parent, named[1].strip())
    if home := _home():
        yield from _entries(home)
    for runtime in {*_entries(_RUN), *_of_keepers()}:
        with contextlib.suppress(OSError):
            if os.stat(runtime).st_uid == os.geteuid():  # others may write there what they like
                state = files.read_object(f"{runtime}/owner").get("state")
                yield from [state] if isinstance(state, str) and os.path.isabs(state) else []


def _of_keepers() -> Iterator[str]:
    """Yield the runtime folder of each of our own keepers: R of KEEPER R/control/INSTANCE.json."""
    for pid in process.parents():
        if process.user_id(pid) == os.geteuid():
            words = [os.fsdecode(word) for word in proc.read(f"/proc/{pid}/cmdline").split(b"\0")]
            if any(word.endswith(_KEEPER) for word in words):
                yield from (found[1] for word in words if (found := _RECORD.fullmatch(word)))


def _entries(folder: str) -> list[str]:
    with contextlib.suppress(OSError):
        return [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    return []


def _home() -> str | None:
    try:
        return claims.home_of(os.geteuid())
    except UsageError:
        return None


def _text(path: str) -> str:
    """Return the file's text, as far as it can be read."""
    try:
        return foreign.data(path).decode(errors="replace")
    except OSError:
        return ""
