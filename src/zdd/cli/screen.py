"""The listeners that show events: to a person, to a program, and in the deploy's logs."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

import click

from zdd.cli import failure
from zdd.events import Begin, Command, Doing, Drain, Event, Failed, Healthy, Notice, Plan, Proxy, Result, Step, Unproved
from zdd.paths import Paths
from zdd.terminal import Terminal, fitted
from zdd.visible import in_json, visible

_TICK, _SOON = 0.1, 0.2  # seconds: between updates of the living line, and until a step gets one
_DONE = {"publish": "switched", "build": "built", "swap": "swapped", "bake": "baked", "certificate": "certbot"}
_LEAST = 0.01  # seconds: a shorter step had nothing to do
_COLOUR: dict[type[Event], str] = {Notice: "yellow", Unproved: "yellow", Result: "green", Command: "bright_black"}


class Screen:
    """
    Prints one line on stdout for each event that a person cares about.

    On a terminal, a living line below them shows the current step with its seconds, and how old instances drain.
    """

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.terminal = Terminal(sys.stdout)
        self._doing: list[tuple[str, float]] = []  # the steps that run and when they began, the innermost last
        self._draining: tuple[str, float] | None = None
        self._lock = threading.Lock()
        self._ticks: threading.Thread | None = None

    def take(self, event: Event) -> None:
        """Print the event's line, if it has one."""
        with self._lock:
            match event:
                case Doing():
                    self._doing.append((event.text, time.monotonic()))
                    self._tick()
                case Step() if self._doing:
                    self._doing.pop()
                case Failed():
                    self.terminal.erase()
                    failure.show(event)
            if isinstance(event, Drain) and self.terminal.alive:
                self._drain(event)
            elif (text := line(event, self.verbose)) is not None:
                shown = visible(text) if isinstance(event, Command) else fitted(text, sys.stdout)
                self.terminal.say(shown, _COLOUR.get(type(event)))
            self._draw()

    def _drain(self, event: Drain) -> None:
        """Show draining in the living line; print only its end as a line that stays."""
        if event.is_draining:
            since = self._draining[1] if self._draining else time.monotonic()
            self._draining = (f"{event.subject} {event.text}", since)
            self._tick()
        else:
            self._draining = None
            self.terminal.say(visible(line(event, self.verbose) or ""))

    def _draw(self) -> None:
        text, since = self._draining or (self._doing[-1] if self._doing else ("", 0.0))
        seconds = time.monotonic() - since
        if text and seconds > _SOON:
            self.terminal.show(f"  {seconds:5.1f} s  {text}")
        else:
            self.terminal.erase()

    def _tick(self) -> None:
        """Start a thread that updates the seconds of the living line while the deploy waits."""
        if self.terminal.alive and self._ticks is None:
            self._ticks = threading.Thread(target=self._run, name="screen", daemon=True)
            self._ticks.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the terminal has gone
            while True:
                time.sleep(_TICK)
                with self._lock:
                    self._draw()


class JsonLines:
    """Prints each event as one JSON object a line on stdout."""

    def take(self, event: Event) -> None:
        """Print the event; a failure also for a person, on stderr."""
        click.echo(in_json(event))
        if isinstance(event, Failed):
            failure.show(event)


class DeployLogs:
    """
    Writes the deploy's logs, from its first event until the program ends.

    `S/logs/deploy-N.jsonl` has the events that --json prints, as they happen. `S/logs/deploy-N.log` has them as lines
    with times, between the output of builds and hooks. A log that cannot be written does not fail the deploy.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.deploy: int | None = None

    def take(self, event: Event) -> None:
        """Append the event to both logs."""
        if isinstance(event, Begin):
            self.deploy = event.deploy
        if self.deploy is None:
            return
        _append(self.paths.deploy_events(self.deploy), in_json(event).encode())
        text = f"{event.outcome}: {event.cause}" if isinstance(event, Result) and event.cause else line(event, True)
        if text is not None:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            _append(self.paths.deploy_log(self.deploy), f"{now} {visible(text)}".encode())


def _append(path: str, text: bytes) -> None:
    with contextlib.suppress(OSError), open(path, "ab") as log:
        log.write(text + b"\n")


def line(event: Event, verbose: bool) -> str | None:
    """Return the line that shows the event to a person, None if it has none."""
    match event:
        case Begin(deploy=deploy, action=action, project=project, text=text):
            return f"{action} {deploy} of {project}" + (f": {text}" if text else "")
        case Healthy(instance=instance, seconds=seconds):
            return f"  {instance:<24} healthy after {seconds:.2f} s"
        case Step(step=step, seconds=seconds, ok=ok) if verbose or _has_line(event):
            done = _DONE.get(step, step.removeprefix("hook-"))
            return f"  {done:<24} {seconds:.2f} s" + ("" if ok else "  FAILED")
        case Command(text=text):
            return f"  $ {text}" if verbose else None
        case Notice(text=text) | Unproved(text=text):
            return text
        case Result(outcome="done", text=str(text)):
            return text
        case Plan(text=text):
            return f"  {text}"
        case Proxy(subject=subject, text=text) | Drain(subject=subject, text=text):
            return f"  {subject:<24} {text}"
    return None


def _has_line(event: Step) -> bool:
    did_something = event.step == "publish" or event.seconds >= _LEAST
    return event.ok and did_something and (event.step in _DONE or event.step.startswith("hook-"))
