"""
For how long pooled connections may lead to old instances after a switch, over the texts of all workers.

A worker that shuts down has no pool any more: it closes the connections that are idle, and keeps no other one
(`ngx_exiting` in nginx's ngx_http_upstream_free_keepalive_peer). So the texts count of workers that take requests: the
text in place, that of before this deploy, and an older one that a worker still runs since no reload has reached it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from zdd.host import files
from zdd.host.process import Process
from zdd.nginx.config import pool
from zdd.nginx.config.version import Version

_MOST = 10  # former texts that are remembered
Tail = float | None
"""Seconds; None for a pool without a bound."""


class Tails:
    """The tails of texts; `path` is where those of former texts are kept, `own` how addresses of ours begin."""

    def __init__(self, path: str, own: tuple[str, ...]) -> None:
        self.path = path
        self.own = own

    def of(self, texts: Iterable[str], version: Version, serving: Sequence[Process]) -> list[Tail]:
        """
        Return the tails of these texts and of the former ones that one of these workers may run.

        `serving` are the workers that take requests; none if they cannot be seen: then all that are remembered count.
        """
        found = [pool.longest(text, version, self.own) for text in texts]
        return found + [tail for tail, workers in self._former() if not (serving and workers.isdisjoint(serving))]

    def replace(self, text: str, version: Version, serving: Sequence[Process]) -> None:
        """Remember a text that is about to be replaced, and the workers that run it. On a full disk, nothing is."""
        former = [(tail, workers) for tail, workers in self._former() if not workers or any(w.alive() for w in workers)]
        former.append((pool.longest(text, version, self.own), set(serving)))
        kept = [[tail, sorted((worker.pid, worker.start_time) for worker in workers)] for tail, workers in former]
        try:
            files.write(self.path, json.dumps({"former": kept[-_MOST:]}), mode=0o600)
        except OSError:
            files.remove(self.path)

    def _former(self) -> list[tuple[Tail, set[Process]]]:
        written = files.read_object(self.path).get("former")
        found = []
        for entry in written if isinstance(written, list) else ():
            match entry:
                case [None | float() | int() as tail, [*pairs]]:
                    found.append((tail, {Process(*pair) for pair in pairs if _is_pair(pair)}))
        return found


def _is_pair(value: object) -> bool:
    match value:
        case [int(), int()]:
            return True
    return False
