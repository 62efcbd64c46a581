"""How events look: to a person, to a program, and in the deploy's log."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time

import click

from zdd.paths import Paths
from zdd.terminal import Terminal, fitted


class Screen:
    """
    Lines on stdout, one an event that means something to a person.

    On a terminal a living line below them tells what is being done and for how long, and how old instances drain.
    """

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.stage = Terminal(sys.stdout)
        self._doing: list[tuple[str, float]] = []  # what was begun, and when; the innermost last
        self._draining: tuple[str, float] | None = None
        self._lock = threading.Lock()
        self._ticks: threading.Thread | None = None

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Print what a person wants to know of it."""
        with self._lock:
            if event == "doing":
                self._doing.append((str(fields["text"]), time.monotonic()))
                self._tick()
            elif event == "step" and self._doing:
                self._doing.pop()
            if event == "drain" and self.stage.alive:
                self._drain(fields)
            elif (line := words(event, fields, self.verbose)) is not None:
                self.stage.say(line if event == "command" else fitted(line, sys.stdout), _COLOUR.get(event))
            self._draw()

    def _drain(self, fields: dict[str, object]) -> None:
        """Tell how an instance drains in the living line, and only how that ended in one that stays."""
        if str(fields["text"]).startswith("draining"):
            since = self._draining[1] if self._draining else time.monotonic()
            self._draining = (f"{fields['subject']} {fields['text']}", since)
            self._tick()
        elif line := words("drain", fields, self.verbose):
            self._draining = None
            self.stage.say(line)

    def _draw(self) -> None:
        text, since = self._draining or (self._doing[-1] if self._doing else ("", 0.0))
        seconds = time.monotonic() - since
        if text and seconds > _SOON:
            self.stage.show(f"  {seconds:5.1f} s  {text}")
        else:
            self.stage.erase()

    def _tick(self) -> None:
        """Have the seconds run, from another thread: the deploy itself waits for others most of the time."""
        if self.stage.alive and self._ticks is None:
            self._ticks = threading.Thread(target=self._run, name="screen", daemon=True)
            self._ticks.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the terminal has gone
            while True:
                time.sleep(_TICK)
                with self._lock:
                    self._draw()


class JsonLines:
    """One object a line on stdout."""

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Print it whole; what a step is about to do is for people only."""
        if event == "doing":
            return
        click.echo(json.dumps({"event": event, **fields}))


class LogFile:
    """Everything, with the time, in `S/logs/deploy-N.log`; it begins with the deploy and ends with the program."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.path: str | None = None

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Append it."""
        if event == "begin":
            self.path = self.paths.deploy_log(int(str(fields["deploy"])))
        line = f"{fields['outcome']}: {fields['cause']}" if fields.get("cause") else words(event, fields, verbose=True)
        if self.path is None or line is None:
            return
        with contextlib.suppress(OSError), open(self.path, "a", encoding="utf-8") as log:  # a full disk fails no deploy
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


_TICK, _SOON = 0.1, 0.2  # seconds: the living line's pulse, and what is done before it is worth a line
_TOLD = {"publish": "switched", "build": "built", "swap": "swapped", "bake": "baked"}
_LEAST = 0.01  # seconds: a step that took less had nothing to do

_COLOUR = {"notice": "yellow", "result": "green", "command": "bright_black"}


def words(event: str, fields: dict[str, object], verbose: bool) -> str | None:
    """Return the line that tells a person of an event, None for one that says nothing to them."""
    seconds = fields.get("seconds")
    took = f"{seconds:.2f} s" if isinstance(seconds, float) else ""
    match event:
        case "begin":
            where = f": {fields['text']}" if fields.get("text") else ""
            return f"{fields['action']} {fields['deploy']} of {fields['project']}{where}"
        case "healthy":
            return f"  {fields['instance']:<24} healthy after {took}"
        case "step" if verbose or _is_told(fields):
            step = str(fields["step"])
            return f"  {_TOLD.get(step, step.removeprefix('hook-')):<24} {took}" + ("" if fields["ok"] else "  FAILED")
        case "command":
            return f"  $ {fields['text']}" if verbose else None
        case "notice":
            return str(fields["text"])
        case "result":
            return str(fields["text"]) if fields["outcome"] == "done" else None
        case "plan":
            return f"  {fields['text']}"
        case "proxy" | "retire" | "drain":
            return f"  {fields['subject']:<24} {fields['text']}"
    return None


def _is_told(fields: dict[str, object]) -> bool:
    step, seconds = str(fields["step"]), fields["seconds"]
    did_something = step == "publish" or (isinstance(seconds, float) and seconds >= _LEAST)
    return bool(fields["ok"]) and did_something and (step in _TOLD or step.startswith("hook-"))
