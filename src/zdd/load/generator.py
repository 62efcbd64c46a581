from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle, repeat
from math import inf
from time import monotonic, process_time
from typing import Any

from zdd.load.http import Connection
from zdd.load.report import Progress, Report
from zdd.load.samples import TIMEOUT, Job, Recorder
from zdd.load.spec import Kind, Spec
from zdd.load.websocket import UPGRADE, WebSocket
from zdd.load.wire import Poller, Wire

PROGRESS_INTERVAL = 0.25  # seconds


class Queue:
    """Requests that wait for a connection, and idle connections; in both the longest waiting comes first."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.idle: deque[Wire] = deque()

    def dispatch(self) -> None:
        """Send what can be sent."""
        while self.jobs and self.idle:
            job = self.jobs.popleft()
            if not job.done:  # its time may have run out here
                self.idle.popleft().begin(job)


def deal(weights: list[int]) -> Iterator[int]:
    """Yield indices in exact shares: from a deck with each index `weight` times, shuffled again when it is used up."""
    shuffle = random.Random(0).shuffle
    deck = [index for index, weight in enumerate(weights) for _ in range(weight)]
    while True:
        shuffle(deck)
        yield from deck


class Stream:
    """Requests due at `start`, `start + 1/rate`, and so on, independent of the answers."""

    def __init__(self, rate: float, seconds: float | None, kinds: Iterator[int], queues: Iterator[Queue]) -> None:
        self.start = monotonic()
        self.count = 0  # those that have come due
        self._rate = rate
        self._total = sys.maxsize if seconds is None else round(rate * seconds)
        self._kinds = kinds
        self._queues = queues

    @property
    def next(self) -> float:
        """The moment at which the next request is due."""
        return self.start + self.count / self._rate if self._rate and self.count < self._total else inf

    def release(self, now: float) -> Iterator[Job]:
        """Queue and yield the requests that have come due."""
        while (due := self.next) <= now:
            self.count += 1
            job = Job(due, next(self._kinds))
            next(self._queues).jobs.append(job)
            yield job

    def stop(self) -> None:
        """Let no more requests come due."""
        self._total = self.count


class Generator:
    """Generates the load of a Spec in this thread. Each due request has exactly one outcome."""

    def __init__(self, spec: Spec, stdin: int | None = None) -> None:
        self._timeout = spec.timeout
        self._recorder = Recorder(spec.kind_names)
        self._poller = Poller(stdin)
        self._pending: deque[Job] = deque()  # in the order of their due times; some are done already
        self._stopping = False
        requests, *echoes = self._queues = [Queue() for _ in range(1 + spec.websockets)]
        self._open_wires(spec, requests, echoes)
        kinds = deal([kind.weight for kind in spec.kinds])
        self._streams = [Stream(spec.rate, spec.seconds, kinds, repeat(requests))]
        if echoes:
            rate = len(echoes) / spec.websocket_interval
            self._streams.append(Stream(rate, spec.seconds, repeat(len(spec.kinds)), cycle(echoes)))

    def _open_wires(self, spec: Spec, requests: Queue, echoes: list[Queue]) -> None:
        secure = None
        if spec.tls:
            from zdd.load.secure import Secure  # here, because its import costs a megabyte

            secure = Secure(spec.host_header)
        record, wire = spec.record.lower().encode(), (spec.address(), self._poller, self._recorder)
        texts = [kind.request(spec.host_header) for kind in spec.kinds]
        for _ in range(spec.connections):
            Connection(texts, record, *wire, requests.idle, secure)
        upgrade = Kind(path=spec.websocket_path, headers=UPGRADE).request(spec.host_header)
        for queue in echoes:
            WebSocket(upgrade, len(spec.kinds), record, *wire, queue.idle, secure)

    def stop(self) -> None:
        """Let no more requests come due; `run` returns once all others have their outcome. Safe in signal handlers."""
        self._stopping = True

    def run(self, report: Callable[[dict[str, Any]], None]) -> Report:
        """
        Generate the whole load and pass its start and progress to `report`.

        Returns at most the spec's timeout after the last due time: by then every request has its outcome.
        """
        start = reported = monotonic()
        late, cpu = 0.0, process_time()
        for stream in self._streams:
            stream.start = start
        report({"event": "started", "at": start})
        while True:
            now = monotonic()
            for stream in self._streams:
                late = max(late, now - stream.next)
                self._pending.extend(stream.release(now))
                if self._stopping:
                    stream.stop()
            self._expire(now - self._timeout)
            for queue in self._queues:
                queue.dispatch()
            coming = min(stream.next for stream in self._streams)
            if coming == inf and not self._pending:
                break
            if now >= reported + PROGRESS_INTERVAL:
                reported = now
                report({"event": "progress"} | vars(self._progress(now - start)))
            expiring = self._pending[0].due + self._timeout if self._pending else inf
            if not self._poller.wait(min(coming, expiring, reported + PROGRESS_INTERVAL) - monotonic()):
                self._stopping = True
        self._poller.close()
        times = (start, monotonic(), process_time() - cpu, late)
        seen = self._recorder
        return Report(*times, seen.kinds, seen.reconnected, tuple(seen.failures), tuple(seen.values), seen.samples)

    def _expire(self, due: float) -> None:
        """End the requests that were due at or before this moment."""
        pending = self._pending
        while pending and (pending[0].done or pending[0].due <= due):
            job = pending.popleft()
            if job.done:
                continue
            if job.carrier:
                job.carrier.expire()
            else:
                self._recorder.done(job, TIMEOUT, "not sent: no connection was free")

    def _progress(self, elapsed: float) -> Progress:
        seen, due = self._recorder, sum(stream.count for stream in self._streams)
        return Progress(elapsed, due, seen.sent, len(seen.samples), seen.failed, seen.reconnected.total())
