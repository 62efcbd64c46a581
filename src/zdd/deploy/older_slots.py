"""
Slots that the new nginx text does not name any more: a worker from before the reload still connects to them.

It takes nothing new, but a request whose body it is reading, perhaps for minutes, goes where its own text says. So such
slots stay in each later table while they are needed, and lead to the new version of their service, or to the last
instance of one that has left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zdd.routing.manifest import Manifest, is_static

if TYPE_CHECKING:
    from zdd.project import Project


def kept(project: Project, target: Manifest, before: Manifest | None) -> dict[str, str]:
    """Return these slots of the table before, as they lead there: {"web/00": "web-12"}."""
    if before is None:
        return {}
    named, wanted = before.slots(), target.slots()
    older = {slot: name for slot, name in project.tables.links(before.deploy).items() if slot not in wanted}
    older = {slot: name for slot, name in older.items() if os.path.exists(project.paths.leads(name))}
    if older.keys() <= named.keys() or project.proxy.retiring_workers():
        return older
    return {slot: name for slot, name in older.items() if slot in named}


def after(target: Manifest, older: dict[str, str]) -> dict[str, str]:
    """Return where these slots lead from the switch on."""
    return {slot: _successor(target, slot) or name for slot, name in older.items()}


def _successor(target: Manifest, slot: str) -> str | None:
    """Return the first instance of the slot's service that has a slot now; a folder has none that could follow it."""
    if is_static(slot):
        return None
    return next((one.name for one in target.of(slot.partition("/")[0]) if one.has_slot), None)
