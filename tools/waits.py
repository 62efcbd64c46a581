"""
Print for how long what is on a request's path waits for a core, in a steady second and while a version is deployed.

`python -m tools.waits [DEPLOYS [PEER...]]`, on a machine that has nothing else to do. The kernel counts, for each
thread, how long it ran, how long it was ready and waited, and how often it ran (/proc/PID/task/TID/schedstat). A
request passes the generator, the proxy, the old app and the proxy again, so each of their waits is one of its own.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bench import peers
from bench.peer import Peer, until
from bench.stage import KINDS
from zdd.host import own_process, process
from zdd.load import Load, Spec

WARM, STEADY = 1.0, 1.0  # seconds
STARTING = 0.4  # seconds: the app starts for longer
RATE, CONNECTIONS = 350.0, 32
ROLES = {"zdd.load": "generator", "nginx": "proxy", "haproxy": "proxy", "kamal": "proxy", "caddy": "proxy"}
OTHERS = "app"  # and what runs it


class Waits(NamedTuple):
    """Seconds that threads ran, seconds that they waited for a core, and how often they ran."""

    ran: float = 0.0
    waited: float = 0.0
    times: int = 0


def main(deploys: int, names: Sequence[str]) -> None:
    """Deploy by each of these ways and print the medians."""
    own_process.become_subreaper()
    for name in names:
        peer = peers.load(name)()
        try:
            peer.start()
            with Load(Spec(f"127.0.0.1:{peer.port}", KINDS, RATE, CONNECTIONS, record="X-Release")):
                time.sleep(WARM)
                show(peer, [(watched(STEADY), deploying(peer)) for _ in range(deploys)])
        finally:
            peer.end()


def deploying(peer: Peer) -> dict[str, Waits]:
    """Deploy the next version; return what each role did while it started, when the old one still answers all."""
    peer.next_version()
    with ThreadPoolExecutor() as pool:
        done = pool.submit(peer.deploy)
        waits = watched(STARTING)
        done.result()
    until(peer.serves_new)
    time.sleep(STEADY)  # until the old one is gone
    return waits


def watched(seconds: float) -> dict[str, Waits]:
    """Return what each role's threads that live before and after that time did meanwhile."""
    before = counters()
    time.sleep(seconds)
    roles: dict[str, Waits] = {}
    for thread, (role, now) in counters().items():
        if thread not in before:
            continue  # of the new version or of the command: on nobody's path
        then, total = before[thread][1], roles.get(role, Waits())
        ran, waited, times = (new - old for new, old in zip(now, then, strict=True))
        roles[role] = Waits(total.ran + ran, total.waited + waited, total.times + int(times))
    return roles


def counters() -> dict[str, tuple[str, Waits]]:
    """Return the role and the counters of each thread below this process, those of keepers left out."""
    found = {}
    for pid in process.descendants(os.getpid()):
        title = process.title(pid)
        if "zdd.keeper" in title:
            continue
        role = next((role for word, role in ROLES.items() if word in title), OTHERS)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    ran, waited, times = map(int, file.read().split())
                found[thread] = role, Waits(ran / 1e9, waited / 1e9, times)
        except OSError:
            continue  # gone since
    return found


def show(peer: Peer, windows: list[tuple[dict[str, Waits], dict[str, Waits]]]) -> None:
    """Print a table: the mean wait of each role's threads, steady and while deploying."""
    print(f"{peer.title}: mean wait for a core each time that a thread runs, steady and while deploying")
    for role in ("generator", "proxy", OTHERS):
        steady, starting = ([window[half].get(role, Waits()) for window in windows] for half in (0, 1))
        print(f"  {role:<10} {mean(steady):8.0f} us {mean(starting):8.0f} us")


def mean(all_waits: list[Waits]) -> float:
    """Return the median of the mean waits in microseconds."""
    return statistics.median(1e6 * waits.waited / waits.times if waits.times else 0.0 for waits in all_waits)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4, sys.argv[2:] or ["zdd_table"])
