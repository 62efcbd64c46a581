"""A story: commands of both programs, one after the other, and which version visitors get after each of them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tests.system.project import LIGHT, assert_nothing_lost, assert_only_reloads_cost
from tests.waiting import eventually
from zdd.load import Load, Report

from .programs import NEW, OLD, Program, Said
from .sites import Site


class Step(NamedTuple):
    """
    One command of one program. Before a deploy, the next version of the code is made.

    `serves` is the version that every service then is at, but for those in `others`; None where nothing serves.
    `refused` is what the program says where it does not do it; it leaves everything as it was.
    """

    program: str
    command: str
    serves: int | None
    others: Mapping[str, int] = {}
    refused: str = ""


def old(command: str, serves: int | None, refused: str = "", **others: int) -> Step:
    """A command of the old program."""
    return Step(OLD, command, serves, others, refused)


def new(command: str, serves: int | None, refused: str = "", **others: int) -> Step:
    """A command of the new program."""
    return Step(NEW, command, serves, others, refused)


class Story:
    """Plays steps under load, from the first deploy on; says in which of them it went wrong."""

    def __init__(self, site: Site, programs: Mapping[str, Program]) -> None:
        self.site = site
        self.programs = programs
        self.versions = 0
        self._told: list[tuple[float, str]] = []
        self._loads = ExitStack()
        self._load: Load | None = None
        self._workers: set[int] = set()

    def play(self, steps: Sequence[Step]) -> None:
        """Play them all; a load goes on until `end`, or until the site is down."""
        for step in steps:
            try:
                self._play(step)
            except Exception as error:
                raise AssertionError(f"{self._so_far()}\n{error}") from error

    def tell(self, what: str) -> None:
        """Note what happens from now on, for whoever reads why it went wrong."""
        self._told.append((time.monotonic(), what))

    def begin(self) -> None:
        """Begin the load: something serves now."""
        self.site.is_deployed()
        self.await_versions(self.versions)
        self._workers = self.site.workers()
        self._load = self._loads.enter_context(self.site.project.load(self.site.kinds(), **LIGHT))

    def end(self) -> None:
        """End the load, and see that nothing was lost."""
        if self._load is None:
            return
        reloaded = self.site.workers() != self._workers
        report, self._load = self._load.stop(), None
        self._loads.close()
        try:
            assert_only_reloads_cost(report) if reloaded else assert_nothing_lost(report)
        except AssertionError as error:
            raise AssertionError(f"{self._so_far(report)}\n{error}") from error

    def take_down(self) -> None:
        """Have nothing left, whichever program still can."""
        for program in self.programs.values():
            if self.site.left():
                program.run(self.site.project, "down")

    def run(self, program: str, command: str, code: int = 0) -> Said:
        """Run one command, which ends with this code."""
        self.tell(f"{program} zddeploy {command}")
        said = self.programs[program].run(self.site.project, *command.split())
        assert said.code == code, said
        return said

    def release(self) -> int:
        """Make the next version of the code."""
        self.versions += 1
        self.site.release(self.versions)
        return self.versions

    def await_versions(self, serves: int, others: Mapping[str, int] | None = None) -> None:
        """Wait until visitors of each service get this version; for a moment after a switch they may get another."""
        wanted = {name: (others or {}).get(name, serves) for name in self.site.routes}

        def wrong() -> list[str]:
            answers = {name: self.site.answer(name) for name in wanted}
            return [
                f"{name} should be at version {number}, and answers {answers[name]!r}"
                for name, number in wanted.items()
                if not answers[name].endswith(f"\r\n\r\n{name} {number}\n")
            ]

        try:
            eventually(lambda: not any(wrong() for _ in range(4)))
        except AssertionError as error:
            raise AssertionError(f"{error}: {'; '.join(wrong()) or 'now it is right'}") from None

    def check_status(self, program: str) -> None:
        """The program finds no fault, names the instances, and they are those that answer."""
        said, found = self.programs[program].status(self.site.project)
        assert said.code == 0, said
        assert (found["state"], found["problems"]) == ("serving", []), said
        for name, count in self.site.counts.items():
            rows = next(one["instances"] for one in found["services"] if one["name"] == name)
            serving = {one["id"]: one["pid"] for one in rows if one["state"] == "serving"}
            assert len(serving) == count, f"{name}: {serving}\n{said}"
            assert all(re.fullmatch(f"{name}-[0-9]+", one) for one in serving), said
            assert all(os.path.exists(f"/proc/{pid}") for pid in serving.values()), said
            if name in self.site.routes:
                self._await_answers_of(name, set(serving.values()), said)

    def _await_answers_of(self, name: str, pids: set[int], said: Said) -> None:
        """Wait until these processes answer; a classic service does not say which it is."""
        found: list[int] = []

        def answers() -> bool:
            found[:] = [int(pid) for pid in re.findall("X-Pid: ([0-9]+)", self.site.answer(name))]
            return set(found) <= pids

        try:
            eventually(answers)
        except AssertionError as error:
            raise AssertionError(f"{error}: {name} is answered by {found}\n{said}") from None

    def _play(self, step: Step) -> None:
        verb = step.command.split()[0]
        if verb == "deploy":
            self.release()
        elif verb == "down":
            self.end()
        if step.refused:
            eventually(lambda: not self._is_warm(step.program))
        said = self.run(step.program, step.command, code=2 if step.refused else 0)
        if step.refused:
            assert said.err.startswith("zddeploy: "), said
            assert re.search(step.refused, said.err), said
        if step.serves is None:
            eventually(lambda: not self.site.left())
            return
        if self._load is None:
            self.begin()
        self.await_versions(step.serves, step.others)
        if verb == "status":
            self.check_status(step.program)

    def _is_warm(self, program: str) -> bool:
        """Tell whether an old instance is still kept, so that there is a way back to it."""
        _, found = self.programs[program].status(self.site.project)
        return any(one["state"] == "warm" for service in found["services"] for one in service["instances"])

    def _so_far(self, report: Report | None = None) -> str:
        """Return what happened, the last one marked, and how many requests failed in each."""
        lines = []
        for number, (since, what) in enumerate(self._told):
            until = self._told[number + 1][0] if number + 1 < len(self._told) else time.monotonic()
            failed = [one for one in report.failures if since <= one.at < until] if report else []
            mark = "->" if number + 1 == len(self._told) and not report else "  "
            lines.append(f"{mark} {what}" + (f"   {len(failed)} requests failed: {failed[0].detail}" if failed else ""))
        return "\n".join(["it went so:", *lines])
