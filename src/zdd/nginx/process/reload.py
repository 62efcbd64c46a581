"""
One reload of nginx: what must be seen before it is believed.

A master handles one signal after the other and blocks all others meanwhile (ngx_master_process_cycle: it waits in
sigsuspend(2) with an empty mask). So /proc shows whether a reload is under way: SIGHUP is blocked or pending then.
Somebody else's reload, and a configuration that takes long to load, look like that, too. Once the master waits again,
every reload that it was asked for has ended: well if new workers have replaced the old ones, badly if the old ones are
still there. Which text the new workers run, only an answer of theirs can tell: the mark.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Literal

from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.nginx.config.mark import Seen
from zdd.nginx.process import running

Outcome = Literal["done", "refused"]

READS = 3  # how often a text may be read until nginx runs it: somebody else's reload, ours, and one to be sure
PATIENCE = 10.0  # seconds for a reload besides that reading: 128 workers take 1.4 s to start on two busy cores
_POLL = 0.02  # seconds between looks at the titles of its workers, which no event tells of
_SHARE = 0.1  # of the looks that an idle machine has time for: fewer are too few to give up
_AT_MOST = 6.0  # times the patience, however busy the machine is
_STABLE = 0.05  # seconds for which the same workers must be there: three looks, so that no list of half a moment counts
_GENERATIONS = 0.1  # seconds: nginx waits as long between starting new workers and ending the old ones (ngx_msleep)
# Seconds instead of _STABLE if the workers did not start in a row, for example after one crashed: nobody waits for them
# but where that happens just then. 64 workers take 0.1 to 0.3 s to start on two busy cores, with gaps of less than
# _GENERATIONS; 128 take up to 1.4 s, and gaps of 0.15 s, which are not told from a crash, cost these 2 s.
_MIXED = 2.0
# Seconds after which a master that waits and goes on as before has refused. Of zdd's own nginx its log tells it sooner;
# the `reload` command of another one may end before the signal is sent, as `systemctl --no-block` does.
_SURE = 1.0


class Reload:
    """
    Made before the master is asked to reload: it remembers the workers of then.

    `digest` is the hash of the text to come, None if it has no mark. `look` asks nginx for the mark of its answers.
    """

    def __init__(self, master: Process, clock: Clock, digest: str | None, look: Callable[[], Seen | None]) -> None:
        self.master = master
        self.clock = clock
        self.digest = digest
        self.look = look
        self.old = set(running.workers(master))
        self._seen: set[Process] = set()
        self._since = clock.now()

    def outcome(self) -> Outcome | None:
        """Look once: "done" if only workers of the new text take requests, "refused" if nginx goes on as before."""
        settled = running.is_settled(self.master)  # first: then all workers that it has started are seen after it
        serving = set(running.workers(self.master))
        if serving != self._seen or not settled:
            self._seen, self._since = serving, self.clock.now()
            return None
        stable = self.clock.now() - self._since
        if not serving - self.old:
            return "refused" if stable > _SURE else None
        if serving & self.old or stable < (_MIXED if _widest_gap(serving) > _GENERATIONS else _STABLE):
            return None
        return self._by_mark(serving, stable > _SURE)

    def wait(
        self,
        seconds: float,
        is_lost: Callable[[], bool] = lambda: False,
        interrupt: Callable[[], None] = lambda: None,
    ) -> Outcome | None:
        """
        Look until the outcome is known, or all `is_lost`, for this long; return the outcome, None without one.

        `interrupt` is called between two looks and may raise: nginx may still take the text then.
        If a busy machine keeps us from looking, it keeps nginx from reading the text, too: then we look for longer.
        """
        begun = self.clock.now()
        for looks, _ in enumerate(self.clock.poll(_POLL, begun + seconds * _AT_MOST, interrupt), 1):
            if (outcome := self.outcome()) or is_lost():
                return outcome
            if self.clock.now() - begun >= seconds and looks >= seconds / _POLL * _SHARE:
                break
        return None

    def has_changed_nothing(self) -> bool:
        """Return whether nginx has the workers of before, and is not about to get others."""
        return running.is_settled(self.master) and set(running.workers(self.master)) == self.old

    def _by_mark(self, serving: set[Process], sure: bool) -> Outcome | None:
        """Decide by the mark of an answer; without one the processes have shown it."""
        seen = self.look() if self.digest else None
        if seen is None:
            return "done"
        if seen.pid not in {running.own_number(worker) for worker in serving}:
            return "done" if sure else None  # somebody else answers there, or a worker that just ends
        if seen.digest == self.digest:
            return "done"
        return "refused" if sure else None


def _widest_gap(workers: set[Process]) -> float:
    """Return the most seconds between the starts of two workers of which none has started in between."""
    starts = sorted(worker.start_time for worker in workers)
    ticks = max((later - earlier for earlier, later in itertools.pairwise(starts)), default=0)
    return ticks / os.sysconf("SC_CLK_TCK")
