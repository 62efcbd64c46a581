"""
Any history of publishes, any requests: a line has the instance that has answered, or none.

The world of these tests is the one that the rule is about: nginx's time is behind by some milliseconds, its pooled
connections are older by at most the tail, its worker is stopped now and then for less than a second, and zddeploy is
killed between the lines of a publish, or cannot write them.
"""

from __future__ import annotations

import bisect
import json
import math
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from zdd.nginx.access_log import UNKNOWN, Folders, Reader
from zdd.nginx.timeline import Timeline

TAIL, GRAIN = 0.12, 0.004
CURRENT = "unix:/r/current/"
FOLDERS = Folders("/S/releases", "/S/static", {})
SECONDS = 20.0


class World:
    """What has really happened, and what the files say of it."""

    def __init__(self, chance: random.Random, fates: list[str]) -> None:
        self.chance = chance
        self.switches: list[tuple[float, str]] = []  # when a table was really published, and its instance
        self.lines: list[dict[str, Any]] = []
        self.now: str | None = None
        moment, is_marked = 1000.0, False
        for number, fate in enumerate(["well", *fates]):
            moment += chance.uniform(0.001, SECONDS / (len(fates) + 1))
            name = str(number)
            slots = {"web/00": [f"web-{number}", f"r{number}"]}
            begin = {"table": name, "before": self.now, "from": moment, "slots": slots}
            if fate != "unwritten":
                self.lines += [{"gap": moment}] * is_marked + [begin]
                is_marked = False
            moment += chance.choice([0.0001, 0.05])
            if fate != "killed before":
                self.switches.append((moment, f"web-{number}"))
                self.now = name
            moment += chance.choice([0.0001, 0.05])
            if fate == "well":
                self.lines.append({"table": name, "to": moment})
            elif fate in ("unwritten", "end unwritten"):
                is_marked = True
        self.lines += [{"gap": moment}] * is_marked

    def at(self, moment: float) -> str:
        """Where the slot leads."""
        return self.switches[bisect.bisect_right(self.switches, (moment, "~")) - 1][1]

    def request(self) -> tuple[dict[str, str], str]:
        """A line, and the instance that it is really about."""
        chance = self.chance
        first = self.switches[0][0] + 2.0
        header = chance.uniform(first, first + SECONDS) if chance.random() < 0.5 else self._near_a_switch(first)
        begun = header - chance.choice([0.0, 0.0, 3.0])
        stopped = chance.choice([0.0, 0.0, 0.0, chance.uniform(0, 0.99)])
        tries = [chance.uniform(0, 0.3) for _ in range(chance.choice([0, 0, 1]))]
        connect = header + sum(tries) + stopped
        pooled = connect - chance.choice([0.0, chance.uniform(0, TAIL)])
        answer = chance.choice([0.0005, 0.01, 1.5])
        end = connect + answer
        cached = header - chance.uniform(0, GRAIN)
        line = {
            "msec": _ms(end),
            "at": chance.choice([_ms(cached), _ms(cached), "", _ms(end)]),
            "seconds": _ms(end - begun),
            "status": "200",
            "slots": ", ".join([f"{CURRENT}web/00"] * (len(tries) + 1)),
            "times": ", ".join(_ms(seconds) for seconds in [*tries, stopped + answer]),
        }
        return line, self.at(pooled)

    def _near_a_switch(self, first: float) -> float:
        return max(first, self.chance.choice(self.switches)[0] + self.chance.uniform(-1.5, 0.5))


def _ms(seconds: float) -> str:
    return f"{math.floor(seconds * 1000) / 1000:.3f}"


fates = st.lists(
    st.sampled_from(["well", "well", "well", "killed after", "killed before", "unwritten", "end unwritten"])
)


@given(st.randoms(use_true_random=False), fates)
@settings(deadline=None)
def test_no_line_has_an_instance_that_did_not_answer(chance: random.Random, fates: list[str]) -> None:
    world = World(chance, fates[:8])
    known = Reader(Timeline([json.dumps(line).encode() for line in world.lines], world.now), CURRENT, TAIL, FOLDERS)

    for _ in range(30):
        line, instance = world.request()
        found = known.read(json.dumps(line).encode())
        assert found
        assert found.instance in (instance, UNKNOWN), (line, world.lines)


def test_far_from_all_switches_every_line_has_its_instance() -> None:
    world = World(random.Random(1), ["well"] * 3)
    known = Reader(Timeline([json.dumps(line).encode() for line in world.lines], world.now), CURRENT, TAIL, FOLDERS)
    requests = [world.request() for _ in range(2000)]

    found = [known.read(json.dumps(line).encode()) for line, _ in requests]

    named = [one.instance == instance for one, (_, instance) in zip(found, requests, strict=True) if one]
    assert sum(named) > len(requests) / 2
