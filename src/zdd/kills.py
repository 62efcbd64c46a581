"""What had to be killed since it did not stop in time, as the keepers note it: what it was doing is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from zdd.history import Entry
from zdd.host import files, rotation

_MOST = 128 << 10  # bytes
_SHOWN = 3
_DAY = 86400.0  # seconds
_BEFORE = 60.0  # seconds for leftovers that a command ends before its deploy begins


class Kill(msgspec.Struct, frozen=True):
    """
    An app that was killed `at` a moment of time.time(), or if not `is_whole` only what was left of its processes.

    `limit` says which time was over, `after` how long that was.
    """

    instance: str
    service: str
    at: float
    is_whole: bool
    limit: str
    after: float

    @property
    def reason(self) -> str:
        """Why it was killed, and what that means, as the second part of a sentence."""
        them = "it was" if self.is_whole else "they were"
        return f"not stopped within {self.limit}, so what {them} doing is lost"


def read(path: str) -> list[Kill]:
    """Return all that is still known, newest first. Skip incomplete and damaged lines."""
    found = []
    for part in (rotation.older(path), path):
        for line in (files.read(part) or "").splitlines():
            try:
                found.append(msgspec.json.decode(line, type=Kill))
            except msgspec.MsgspecError:
                continue
    return sorted(found, key=lambda kill: kill.at, reverse=True)


def of(path: str, instance: str, since: float) -> Kill | None:
    """Return how the instance was killed after this moment of time.time(), None if it was not."""
    return next((kill for kill in read(path) if kill.instance == instance and kill.at >= since), None)


def by_deploy(found: Sequence[Kill], entries: Sequence[Entry]) -> dict[int, list[Kill]]:
    """Return the kills by the newest of these deploys (newest first) that had begun by then."""
    deploys: dict[int, list[Kill]] = {}
    for kill in found:
        if entry := next((entry for entry in entries if entry.started <= kill.at), None):
            deploys.setdefault(entry.deploy, []).append(kill)
    return deploys


def since_last(found: Sequence[Kill], last: Entry | None) -> list[Kill]:
    """Return the kills since the last deploy began, or shortly before: a command first ends leftovers."""
    return [kill for kill in found if last is None or kill.at >= last.started - _BEFORE]


def sentence(kill: Kill) -> str:
    """Return the kill as a sentence."""
    near = abs(time.time() - kill.at) < _DAY
    when = time.strftime("%H:%M:%S" if near else "%Y-%m-%d %H:%M", time.localtime(kill.at))
    who = f"{kill.instance} was" if kill.is_whole else f"what {kill.instance} left running was"
    return f"{who} killed at {when}: {kill.reason}"


def shortened(found: Sequence[Kill]) -> list[str]:
    """Return the newest kills as sentences, and how many there are besides."""
    more = len(found) - _SHOWN
    rest = [f"{more} more were killed: `zddeploy history` lists them"] if more > 0 else []
    return [*map(sentence, found[:_SHOWN]), *rest]


def prune(path: str) -> None:
    """Move the notes to the older part, which is replaced, once there are many."""
    rotation.rotate(path, _MOST)
