"""A deploy under load: the requests to send, and the step that ran when a request failed."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import NamedTuple

import msgspec

from zdd import events
from zdd.errors import UsageError
from zdd.events import Begin, Event, Step
from zdd.load import Kind, Load, LoadError, Report, Spec
from zdd.project import Project


class Failed(msgspec.Struct):
    """A failed request: when (seconds since the load began), its outcome, and the step that ran then."""

    at: float
    outcome: str
    request: str
    step: str
    detail: str


class Result(msgspec.Struct):
    """What the clients experienced; latencies in milliseconds, None if there were no answers."""

    requests: int
    failed: dict[str, int]
    reconnects: int
    p50_ms: float | None
    p99_ms: float | None
    p50_ms_deploying: float | None
    p99_ms_deploying: float | None
    failures: list[Failed]


def spec(project: Project, url: str | None, rate: float, connections: int) -> Spec:
    """
    Return the load: GET requests to the URL, or to the first service that can be reached through nginx.

    Raises UsageError where there is none, and for a URL that is not answered with 2xx to begin with.
    """
    current = project.tables.current()
    if current is None:
        raise UsageError("nothing is deployed that could be loaded", hint="`zddeploy` deploys it")
    try:
        if url is not None:
            (target, path), host, tls = Spec.split(url), "", Spec.is_tls(url)
        else:
            found = project.proxy.visits(current.services())
            visits = [visit for visit in found if visit.unix is None and not visit.grpc]
            visit = next((visit for visit in visits if not visit.proxy_protocol), None)
            if visit is None:
                raise ValueError(
                    "nginx waits for a line of the PROXY protocol, which the load cannot send"
                    if visits
                    else "how clients get to a service cannot be told from the configuration"
                )
            target, path, host = f"{visit.address[0]}:{visit.address[1]}", visit.path, visit.host
            tls = visit.tls
        load = Spec(target, (Kind(path=path),), rate, connections, host=host, tls=tls)
        with Load(dataclasses.replace(load, seconds=0.2, rate=5)) as first:  # one request
            failures = first.wait().failures
    except (ValueError, LoadError) as error:
        raise UsageError(str(error), hint="name a URL that answers 2xx: --url http://127.0.0.1:8080/") from None
    if failures:
        message = f"GET {path} at {target} is not answered with 2xx: {failures[0].outcome}, {failures[0].detail}"
        raise UsageError(message, hint="name a URL that is: --url http://127.0.0.1:8080/")
    return load


class Span(NamedTuple):
    """When a step began and ended, in seconds of time.monotonic()."""

    begin: float
    end: float
    step: str


class Timeline:
    """Listens to a deploy, and knows afterwards which step ran when."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.begin = self.end = 0.0

    def take(self, event: Event) -> None:
        """Note when it happened."""
        now = time.monotonic()
        match event:
            case Begin():
                self.begin = now
            case Step(step=step, seconds=seconds):
                self.spans.append(Span(now - seconds, now, step))
            case events.Result():
                self.end = now

    def step_at(self, moment: float) -> str:
        """Return the step that ran, the innermost where one is part of another."""
        running = [span for span in self.spans if span.begin <= moment <= span.end]
        if running:
            return max(running).step
        if not self.begin or moment < self.begin:
            return "before the deploy"
        return "draining the old version" if not self.end or moment < self.end else "after the deploy"


def result(report: Report, timeline: Timeline) -> Result:
    """Return what a load's report comes to, beside what the deploy did."""
    deploying = [(timeline.begin, timeline.end)]

    def milliseconds(p: float, during: bool) -> float | None:
        seconds = report.percentile(p, windows=deploying) if during else report.percentile(p, outside=deploying)
        return None if math.isnan(seconds) else round(seconds * 1000, 2)

    failures = [
        Failed(round(lost.at - report.started, 3), lost.outcome, lost.kind, timeline.step_at(lost.at), lost.detail)
        for lost in report.failures
    ]
    return Result(
        report.requests,
        dict(report.failed),
        report.reconnects,
        milliseconds(50, during=False),
        milliseconds(99, during=False),
        milliseconds(50, during=True),
        milliseconds(99, during=True),
        failures,
    )
