"""
One peer, once: `python -m bench.stage WHAT`, in JSON; prints what was measured, in JSON.

A process of its own, so that all the peer starts is below it, and a peer that fails takes nothing with it.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from typing import Any, NamedTuple

from bench import account, peers
from bench.hand import App
from bench.peer import Peer, until
from bench.wrk import wrk
from zdd.host import own_process
from zdd.load import Kind, Load, Report, Spec
from zdd.load.report import Windows

KINDS = (Kind(), Kind("POST", "/echo", body=2000))
WARM, STEADY, SETTLE = 0.8, 1.2, 1.2  # seconds: all connections open; measured before a deploy; after it
PERCENTILES = (50, 99, 99.9, 100)


class Scenario(NamedTuple):
    """The load that a deploy is made under."""

    name: str
    connections: int
    rate: float
    deploys: int = 1


def main(what: dict[str, Any]) -> dict[str, Any]:
    """Bring the peer up, deploy under each load, take it down; with `wrk`, only see how much can be had of it."""
    own_process.become_subreaper()
    peer = peers.load(what["peer"])()
    try:
        boot = None if "wrk" in what else boot_by_hand(peer)
        peer.start()
        if "wrk" in what:
            return dict(wrk(f"http://127.0.0.1:{peer.port}/", what["wrk"]))
        loads = {one.name: play(peer, one) for one in (Scenario(*words) for words in what["scenarios"])}
        memory = account.memory_beside_the_app(peer.of_the_machine)
        return {"boot": boot, "loads": loads, "memory": memory}
    finally:
        peer.end()


def boot_by_hand(peer: Peer) -> dict[str, float]:
    """
    Return what the app alone takes, which is the least that any deploy could take.

    Seconds of its start until it answers, CPU seconds of that, and seconds of its stop.
    """
    cpu, begun = account.cpu_seconds(), time.monotonic()
    app = App(peer.folder, language=peer.language)
    app.wait(peer.version)
    seconds, spent = time.monotonic() - begun, account.cpu_seconds() - cpu
    begun = time.monotonic()
    app.stop()
    return {"seconds": seconds, "cpu": spent, "stop": time.monotonic() - begun}


def play(peer: Peer, scenario: Scenario) -> dict[str, Any]:
    """Deploy under the load; returns the figures, times in seconds."""
    spec = Spec(f"127.0.0.1:{peer.port}", KINDS, scenario.rate, scenario.connections, record="X-Release")
    with Load(spec) as load:
        time.sleep(WARM)
        deploys = [deploy(peer) for _ in range(scenario.deploys)]
        report = load.stop()
    for one in deploys:
        add_answers(one, report)
    return figures(report, deploys)


def deploy(peer: Peer) -> dict[str, Any]:
    """One deploy, and the times of it, in seconds from its start."""
    cpu = account.cpu_seconds()
    time.sleep(STEADY)
    peer.marks.clear()
    old, begun, steady_cpu = peer.version, time.monotonic(), account.cpu_seconds() - cpu
    peer.next_version()
    peer.deploy()
    returned = time.monotonic()
    until(peer.serves_new)
    time.sleep(SETTLE)
    ended = time.monotonic()
    marks = {what: at - begun for what, at in peer.marks.items()}
    usual = steady_cpu / STEADY * (ended - begun)
    spent = account.cpu_seconds() - cpu - steady_cpu - usual
    return {"old": old, "begun": begun, "returned": returned - begun, "marks": marks, "cpu": spent}


def add_answers(one: dict[str, Any], report: Report) -> None:
    """Say when the new version answered first, and the old one last."""
    answered, begun = report.answered, one["begun"]
    old, new = (answered.get(str(version)) for version in (one["old"], one["old"] + 1))
    one["first_new"] = new.first - begun if new else None
    one["last_old"] = max(0.0, old.last - begun) if old else None


def figures(report: Report, deploys: list[dict[str, Any]]) -> dict[str, Any]:
    """
    What clients saw. A deploy counts from its start to the last answer of the old version, or to the first of the new
    one where that is later, because clients waited.
    """
    steady = [(one["begun"] - STEADY, one["begun"]) for one in deploys]
    during = [(one["begun"], one["begun"] + max(one["last_old"] or 0, one["first_new"] or 0, 0.1)) for one in deploys]
    return {
        "requests": report.requests,
        "failed": dict(report.failed),
        "failed_post": sum(failure.kind.startswith("POST") for failure in report.failures),
        "reconnects": report.reconnects,
        "generator": {"cores": report.cpu / (report.ended - report.started), "late": report.late},
        "steady": {f"p{p:g}": number(report.percentile(p, steady)) for p in PERCENTILES},
        "during": {f"p{p:g}": number(report.percentile(p, during)) for p in PERCENTILES},
        "during_by_kind": {
            kind: {f"p{p:g}": number(report.percentile(p, during, kind=kind)) for p in PERCENTILES}
            for kind in (kind.name for kind in KINDS)
        },
        "delayed": delayed(report, steady, during),
        "deploys": [{key: value for key, value in one.items() if key != "begun"} for one in deploys],
    }


def delayed(report: Report, steady: Windows, during: Windows) -> float:
    """
    Return how many requests a deploy delayed: those that waited longer than the p99 before it, less the hundredth that
    does anyway.

    A p99 depends on how long the deploy takes, since the same few slow requests are a smaller share of a longer time.
    """
    usual, waits = report.percentile(99, steady), report.waits(during)
    slow = sum(wait > usual for wait in waits)
    return (slow - len(waits) / 100) / len(during)


def number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("it was told to end"))
    print(json.dumps(main(json.loads(sys.argv[1]))))
