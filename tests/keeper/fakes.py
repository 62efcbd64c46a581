"""A keeper whose app, socket and clock are the test's."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable
from typing import Any, cast

from zdd.keeper.app import App, Ended
from zdd.keeper.control import Control
from zdd.keeper.keeper import Keeper
from zdd.keeper.listener import Listener
from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.part import Shared
from zdd.keeper.probe import Probe
from zdd.keeper.record import Record
from zdd.keeper.relay import Relay


class FakeLog:
    def __init__(self) -> None:
        self.tended = 0
        self.pause = 1000.0

    def tend(self) -> str | None:
        self.tended += 1
        return None


class FakeApp:
    """Lives and dies to order; `descendants` stay when it dies, unless they are killed."""

    def __init__(self) -> None:
        self.numbers = itertools.count(100)
        self.pid: int | None = None
        self.since: float | None = None
        self.has_children = False
        self.starts = 0
        self.log = FakeLog()
        self.signals: list[object] = []
        self.dies_of: set[int] = {15, 9}
        self.descendants = self.unkillable = self.low_priority = False
        self.ended: Ended | None = None
        self.fails: OSError | None = None
        self.ran = self.waited = 0.0
        self.looks = 0

    def leaves_its_session(self) -> bool:
        return False

    def start(self, listener: Listener, low_priority: bool, record: Callable[[int], object]) -> None:
        if self.fails:
            raise self.fails
        self.pid, self.has_children = next(self.numbers), True
        record(self.pid)
        self.starts += 1
        self.low_priority = low_priority

    def die(self, status: int = -9) -> None:
        self.ended, self.pid, self.has_children = Ended(status, f"status {status}"), None, self.descendants

    def reap(self) -> Ended | None:
        ended, self.ended = self.ended, None
        return ended

    def signal(self, number: int) -> None:
        self.signals.append(number)
        if self.pid and number in self.dies_of:
            self.die(-number)

    def signal_all(self, number: int) -> None:
        if self.has_children:
            self.signals.append(("all", number))
        if number == 9:
            self.descendants = self.has_children = self.unkillable
            if self.pid:
                self.die(-9)

    def on_cores(self) -> tuple[float, float]:
        self.looks += 1
        return self.ran, self.waited

    def full_speed(self) -> bool:
        self.low_priority = False
        return True


class FakeListener(Listener):
    may_wait = can_lead = True

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record, loop)
        self.address = "/there"
        self.done: list[str] = []
        self.count = self.waiting = 0
        self.cost: Callable[[], None] = lambda: None
        self.counted = 0

    def open(self, on_loss: Callable[[bool], None]) -> None:
        pass

    def repair(self) -> None:
        self.done.append("repair")

    def hold(self) -> None:
        self.done.append("hold")

    def lead(self, path: str) -> None:
        self.done.append(f"lead to {os.path.basename(os.path.dirname(path))}")

    def withdraw(self) -> None:
        self.done.append("away")

    def restore(self) -> None:
        self.done.append("back")

    def backlog(self) -> int:
        return self.waiting

    def connections(self) -> int:
        self.counted += 1
        self.cost()
        return self.count


class FakeRelay:
    """Who waits is a name."""

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.waiting: list[str] = []
        self.sent: list[tuple[str, str | int | None]] = []
        self.busy = False
        self.pipes: set[object] = set()

    def take(self, queues: list[socket.socket]) -> bool:
        self.waiting += self.queue
        self.queue.clear()
        return True

    def take_from_app(self, queues: list[socket.socket]) -> None:
        self.take(queues)

    def release(self, address: str | int | None) -> bool:
        self.sent += [(name, address) for name in self.waiting]
        self.waiting.clear()
        return True

    def close(self) -> None:
        pass


class FakeProbe:
    def __init__(self) -> None:
        self.on_answer: Callable[[int | None], None] | None = None

    def ask(self, address: str | int, on_answer: Callable[[int | None], None]) -> None:
        self.on_answer = on_answer

    def cancel(self) -> None:
        self.on_answer = None

    def answer(self, status: int | None) -> None:
        assert self.on_answer is not None, "nobody asks"
        self.on_answer(status)


class FakeControl:
    def __init__(self) -> None:
        self.leased = True
        self.events: list[dict[str, Any]] = []
        self.closed = False

    def push(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True


class Terminal:
    """The keeper on a stage: `push` the clock, let the app `die`, look at what was done."""

    def __init__(self, house: str, **given: Any) -> None:
        for folder in ("control", "instance", "current"):
            os.makedirs(f"{house}/{folder}")
        self.time = 1000.0
        data: dict[str, Any] = {
            "version": 1,
            "project": "test",
            "service": "web",
            "instance": "web-1",
            "argv": ["app"],
            "env": {},
            "cwd": "/",
            "socket": "fd",
            "folder": f"{house}/instance",
            "path": f"{house}/instance/socket",
            "keep": f"{house}/instance/keep",
            "waiting": f"{house}/instance/waiting",
            "app_folder": f"{house}/instance/app",
            "log": f"{house}/log",
            "log_max": 0,
            "access": [],
            "start_timeout": 60.0,
            "polite_for": 15.0,
            "stop_signal": 15,
            "alone": True,
            "listen_variables": True,
            "current": f"{house}/current",
            "table": "",
            "health": {"path": "/", "host": "localhost", "timeout": 5.0},
            "stop_timeout": 10.0,
            "drain_timeout": 30.0,
            "hold_max": 20.0,
        }
        self.record = Record.of(f"{house}/control/web-1.json", data | given)
        self.app, self.relay, self.probe, self.control = FakeApp(), FakeRelay(), FakeProbe(), FakeControl()
        self.deadlines = Deadlines(lambda: self.time)
        loop = Loop(self.deadlines)
        self.listener = FakeListener(self.record, loop)
        self.logged: list[str] = []
        shared = Shared(
            self.record,
            cast("App", self.app),
            self.listener,
            cast("Relay", self.relay),
            cast("Probe", self.probe),
            loop,
            cast("Control", self.control),
            self.logged.append,
        )
        self.keeper = Keeper(shared)
        self.keeper.begin()

    def push(self, seconds: float) -> None:
        """Let time go by, deadline after deadline."""
        end = self.time + seconds
        while (wait := self.deadlines.next()) is not None and self.time + wait <= end:
            self.time += wait
            self.deadlines.run()
            self.look()
        self.time = max(self.time, end)

    def look(self) -> None:
        """What SIGCHLD does."""
        if self.app.ended or not self.app.has_children:
            self.keeper.children_changed()

    def die(self, status: int = -9) -> None:
        self.app.die(status)
        self.look()

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.control.events if event["event"] == name]

    def states(self) -> list[str]:
        return [event["state"] for event in self.events("state")]
