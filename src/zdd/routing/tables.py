"""
The tables of a project, and the switch from one to the next.

    R/current -> tables/17                   replacing this link by rename(2) is the switch, for all services at once
    R/tables/17/manifest.json                what the table is
    R/tables/17/web/00 -> ../../../instances/web-12/socket, R/tables/17/site/static -> S/releases/ID/dist

nginx resolves `current/web/00` at each connect(2), so a connection meets either the old table or the new one.

What the undo and the commit need is written before the switch, into the table's own folder. Then either is one
rename(2) onto an existing name, which needs no inode and no block:

    R/tables/17/current.16                   becomes R/current if deploy 17 is undone
    R/tables/17/manifest.committed           becomes R/tables/17/manifest.json at the commit
    R/tables/17/manifest.back                becomes it before the first undo step, if requests were sent here
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable

import msgspec

from zdd import typed
from zdd.errors import NeedsPerson
from zdd.host import clock, files, foreign, trees
from zdd.host.foreign import NotText
from zdd.layout import Layout
from zdd.routing import publishes
from zdd.routing.manifest import Manifest, committed, turned_back
from zdd.typed import Damaged

# Seconds. A worker that read the link just before the rename walks the old table a moment later: removed at once,
# 442 of millions of connects met ENOENT on the way; kept 1 s, none.
KEEP_REPLACED = 10.0
_MODE = 0o711  # nginx's workers know the name of a slot; nobody needs to list the folder


class RoutingTables:
    """Builds, publishes, reads and prunes the tables below R."""

    def __init__(self, paths: Layout) -> None:
        self.paths = paths

    def write(self, manifest: Manifest, sync: bool = False) -> None:
        """Write the table's manifest, making its folder; replaced whole, never half."""
        files.make_folder(self.paths.table(manifest.deploy), _MODE)
        files.write(self._manifest(manifest.deploy), msgspec.json.encode(manifest).decode(), mode=0o600, sync=sync)

    def build(self, deploy: int, slots: dict[str, str], name: str | None = None) -> str:
        """Make the slots' links below `tables/NAME` (by default, the deploy's number). Idempotent."""
        name = name or str(deploy)
        files.make_folder(table := self.paths.table(name), _MODE)
        for service in dict.fromkeys(slot.partition("/")[0] for slot in slots):
            files.make_folder(f"{table}/{service}", _MODE)
        for slot, instance in slots.items():
            leads = self.paths.slot_link(instance)
            try:
                os.symlink(leads, f"{table}/{slot}")
            except FileExistsError:
                files.point(f"{table}/{slot}", leads)
        if name != str(deploy):
            files.write(f"{table}/manifest.json", files.read(self._manifest(deploy)) or "", mode=0o600)
        return name

    def links(self, deploy: int | str) -> dict[str, str]:
        """Return where each slot in a table's folder leads, also one that its manifest does not have."""
        table, found = self.paths.table(deploy), {}
        for service in os.listdir(table):
            if os.path.isdir(f"{table}/{service}"):
                for slot in os.listdir(f"{table}/{service}"):
                    found[f"{service}/{slot}"] = self.paths.led(os.readlink(f"{table}/{service}/{slot}"))
        return found

    def make_ready(self, target: Manifest, names: Iterable[str]) -> None:
        """
        Write what the commit of `target`, and going back from it to these tables, will need.

        Call this before the first publish, once the ports of all instances of `target` are known.
        """
        for name in names:
            files.point(self._link(target.deploy, name), f"tables/{name}")
        for state, manifest in (("committed", committed(target)), ("back", turned_back(target))):
            text = msgspec.json.encode(manifest).decode()
            files.write(f"{self.paths.table(target.deploy)}/manifest.{state}", text, mode=0o600, sync=True)

    def publish(self, name: str) -> None:
        """Switch: every new connection goes where this table leads."""
        with publishes.noted(self, name):
            files.point(self.paths.current, f"tables/{name}")
        clock.stamp(self.paths.current)

    def go_back(self, name: str, deploy: int) -> None:
        """
        Switch back, from this deploy to an older table or the union with it.

        This needs no disk space if `make_ready` was called for that table, or if `current` leads there already.
        """
        ready = self._link(deploy, name)
        if self.published() == name:
            return
        if not os.path.lexists(ready):
            self.publish(name)
            return
        with publishes.noted(self, name):
            os.rename(ready, self.paths.current)
        clock.stamp(self.paths.current)

    def commit(self, target: Manifest) -> None:
        """Write durably that this deploy is never undone."""
        done = committed(target)
        if self._take(target.deploy, "committed"):
            files.sync_path(self.paths.table(target.deploy))
        else:
            self.write(done, sync=True)
        target.stage, target.committed, target.exposed = done.stage, done.committed, done.exposed
        with contextlib.suppress(OSError):
            self._tidy(target.deploy)
        clock.stamp(self.paths.table(target.deploy))

    def turn_back(self, target: Manifest) -> None:
        """Write that this deploy goes back. This needs no disk space if clients were sent to it."""
        target.direction = "back"
        if not (target.exposed and self._take(target.deploy, "back")):
            self.write(target)

    def unpublish(self) -> None:
        """Undo the first publish of all: nothing serves, as before it."""
        with publishes.noted(self, None):
            files.remove(self.paths.current)

    def confirm(self) -> None:
        """Note again what is in force, after a command that was killed at a switch."""
        with publishes.noted(self, self.published()):
            pass

    def published(self) -> str | None:
        """Return the name of the table in force, None before the first deploy."""
        try:
            return os.path.basename(os.readlink(self.paths.current))
        except FileNotFoundError:
            return None

    def current(self) -> Manifest | None:
        """Return the manifest of the table in force, None if there is none."""
        name = self.published()
        number = None if name is None else foreign.number(name.partition("+")[0])
        return None if number is None else self.read(number)

    def astray(self) -> str | None:
        """Return the name of the table that `current` leads to, if that table is missing."""
        name = self.published()
        return name if name is not None and self.current() is None else None

    def read(self, deploy: int) -> Manifest | None:
        """Return a table's manifest, None if there is no such table. Raises NeedsPerson if it is damaged."""
        path = self._manifest(deploy)
        try:
            text = files.read(path)
            if text is None:
                return None
            return typed.decode(text, Manifest)
        except (Damaged, NotText) as error:
            raise NeedsPerson(
                f"{path} is damaged: {getattr(error, 'strerror', None) or error}",
                hint="`zddeploy down`, then `zddeploy`, starts over; the site is off in between",
            ) from error

    def before(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest of the table that this one replaced, None for the first."""
        return None if manifest.before is None else self.read(manifest.before)

    def numbers(self) -> list[int]:
        """Return the deploys that have a table, oldest first."""
        try:
            names = os.listdir(self.paths.tables)
        except FileNotFoundError:
            return []
        return sorted(number for name in names if (number := foreign.number(name)) is not None)

    def unfinished(self) -> Manifest | None:
        """Return the newest table that was neither committed nor undone, None when there is none."""
        tables = map(self.read, reversed(self.numbers()))
        return next((table for table in tables if table and table.is_unfinished), None)

    def prune(self, keep: set[int]) -> None:
        """Remove unused tables: none of these, not the one in force, none that was replaced in the last 10 s."""
        published = self.published()
        if published is None:
            return
        bound = self._settled()
        for name in os.listdir(self.paths.tables):
            kept = name == published or foreign.number(name) in keep
            if not kept and (bound is None or _number(name) < bound):
                _remove(self.paths.table(name))

    def _settled(self) -> int | None:
        """
        Return the newest deploy committed over KEEP_REPLACED ago, 0 for none: every older table was replaced then.

        None if nothing was replaced since. A commit follows its publish.
        """
        if clock.age(self.paths.current) > KEEP_REPLACED:
            return None
        for number in reversed(self.numbers()):
            if clock.age(self.paths.table(number)) > KEEP_REPLACED:
                table = self.read(number)
                if table and table.is_version:
                    return number
        return 0

    def discard(self, deploy: int) -> None:
        """Remove a table that was never in force."""
        _remove(self.paths.table(deploy))

    def _take(self, deploy: int, state: str) -> bool:
        """Replace the manifest by the one prepared for this state; return whether there was one."""
        try:
            os.rename(f"{self.paths.table(deploy)}/manifest.{state}", self._manifest(deploy))
        except FileNotFoundError:
            return False
        return True

    def _tidy(self, deploy: int) -> None:
        """Remove prepared files that are not needed any more."""
        for name in os.listdir(self.paths.table(deploy)):
            if name.startswith("current.") or name in ("manifest.back", "manifest.committed"):
                files.remove(f"{self.paths.table(deploy)}/{name}")

    def _link(self, deploy: int, name: str) -> str:
        return f"{self.paths.table(deploy)}/current.{name}"

    def _manifest(self, deploy: int) -> str:
        return f"{self.paths.table(deploy)}/manifest.json"


def _number(name: str) -> float:
    """Return the deploy of a table or of a union's, infinity for another name."""
    deploy = name.partition("+")[0]
    number = foreign.number(deploy)
    return math.inf if number is None else number


def _remove(table: str) -> None:
    with contextlib.suppress(OSError):  # the next deploy prunes the rest
        trees.remove(table)
