"""The last failure for each name, and the time of the next try: kept in S, so that it holds across deploys."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec

from zdd.acme.failure import Failure
from zdd.host import files
from zdd.layout import Layout

_FIRST, _LONGEST = 15 * 60.0, 24 * 3600.0  # seconds between tries: they double from the first to the longest
# What an authority was not asked about costs nobody anything: the next deploy tries again at once.
_AT_ONCE = ("name", "disk", "busy", "missing", "nginx")


class Attempt(msgspec.Struct):
    """
    The last try for a name: when, how many in a row have failed, why, and when the next one is due.

    Tries for which no authority was asked are counted by themselves: they make its pause no longer.
    """

    at: float
    tries: int
    next: float
    kind: str
    cause: str
    hint: str


class Attempts:
    """
    The names whose last try failed.

    A damaged file counts as empty: zdd then requests the certificate once too often.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def all(self) -> dict[str, Attempt]:
        """Return the last try of each name that has failed since its last certificate."""
        found = files.read_object(self.path)
        return {name: attempt for name, value in found.items() if (attempt := _attempt(value))}

    def waits(self, name: str, now: float) -> Attempt | None:
        """Return the last try if it is too recent for another one; else None."""
        last = self.all().get(name)
        # A clock that was set back must not keep it waiting for longer than the longest time.
        return last if last and now < last.next <= now + _LONGEST else None

    def failed(self, name: str, failure: Failure, now: float) -> Attempt:
        """Record a failure; return it with the time of the next try. Raises OSError, on a full disk for example."""
        known = self.all()
        before = known.get(name)
        was_asked = failure.kind not in _AT_ONCE
        tries = before.tries + 1 if before and was_asked == (before.kind not in _AT_ONCE) else 1
        pause = min(_FIRST * 2 ** min(tries - 1, 16), _LONGEST) if was_asked else 0.0
        due = max(now + pause, min(failure.until or 0.0, now + _LONGEST))
        known[name] = Attempt(now, tries, due, failure.kind, failure.cause, failure.hint)
        self._write(known)
        return known[name]

    def forget(self, *names: str) -> None:
        """Remove the failures of names that have a certificate now, or are gone; a full disk is ignored."""
        known = self.all()
        left = {name: attempt for name, attempt in known.items() if name not in names}
        if left != known:
            with contextlib.suppress(OSError):
                self._write(left)

    def _write(self, attempts: dict[str, Attempt]) -> None:
        files.write(self.path, json.dumps(msgspec.to_builtins(attempts)), mode=0o600)


def of(paths: Layout) -> Attempts:
    """Return the failures of a project."""
    return Attempts(f"{paths.certbot}/attempts.json")


def _attempt(value: Any) -> Attempt | None:
    try:
        return msgspec.convert(value, Attempt)
    except msgspec.ValidationError:
        return None
