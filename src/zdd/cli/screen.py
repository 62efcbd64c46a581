"""How events look: to a person, to a program, and in the deploy's log."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

import click

from zdd.places import Places


class Screen:
    """Plain lines, one an event, on stdout; colour only on a terminal that wants it."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Print what a person wants to know of it."""
        line = words(event, fields, self.verbose)
        if line is not None:
            click.secho(line, fg=_COLOUR.get(event), color=self.colour)


class JsonLines:
    """One object a line on stdout."""

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Print it whole."""
        click.echo(json.dumps({"event": event, **fields}))


class LogFile:
    """Everything, with the time, in `S/logs/deploy-N.log`; it begins with the deploy and ends with the program."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.path: str | None = None

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Append it."""
        if event == "begin":
            self.path = self.places.deploy_log(int(str(fields["deploy"])))
        line = f"{fields['outcome']}: {fields['cause']}" if fields.get("cause") else words(event, fields, verbose=True)
        if self.path is None or line is None:
            return
        with contextlib.suppress(OSError), open(self.path, "a", encoding="utf-8") as log:  # a full disk fails no deploy
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


_COLOUR = {"notice": "yellow", "result": "green", "command": "bright_black"}


def words(event: str, fields: dict[str, object], verbose: bool) -> str | None:
    """Return the line that tells a person of an event, None for one that says nothing to them."""
    seconds = fields.get("seconds")
    took = f"{seconds:.2f} s" if isinstance(seconds, float) else ""
    match event:
        case "begin":
            return f"{fields['action']} {fields['deploy']} of {fields['project']}"
        case "healthy":
            return f"  {fields['instance']:<24} healthy after {took}"
        case "step" if verbose or (fields["step"] == "publish" and fields["ok"]):
            name = "switched" if fields["step"] == "publish" else fields["step"]
            return f"  {name:<24} {took}" + ("" if fields["ok"] else "  FAILED")
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
