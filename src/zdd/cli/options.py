"""The options that commands share, and what they lead to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from zdd.cli.screen import DeployLogs, JsonLines, Screen
from zdd.conf import read, units
from zdd.events import Command, Events
from zdd.project import Project, open_project

F = TypeVar("F", bound=Callable[..., Any])


def common(command: F) -> F:
    """Add -c, -v and --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text."),
        click.option("-v", "--verbose", is_flag=True, help="Print every command that is run, and where."),
        click.option(
            "-c", "--conf", type=click.Path(path_type=Path), help="Configuration file; ./deploy.toml or ./deploy.conf."
        ),
    ):
        command = option(command)
    return command


class Duration(click.ParamType[float]):
    """A time as in the configuration; the value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read 500ms, 30s, 5m, 1h or a bare number of seconds."""
        try:
            return units.seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 500ms, 30s, 5m, 1h", param, ctx)


def lock_timeout(command: F) -> F:
    """Add --lock-timeout."""
    words = "How long to wait for another zddeploy to finish."
    return click.option("--lock-timeout", type=Duration(), metavar="DURATION", help=words)(command)


def site_of(conf: Path | None, verbose: bool, as_json: bool, looks_only: bool = False) -> Project:
    """
    Read the configuration and put the parts together. Raises UsageError.

    A command that `looks_only` has an answer of its own: its JSON is that and no events.
    """
    config = read.load(read.find(conf, Path.cwd()))
    events = Events(JsonLines() if as_json else Screen(verbose))
    if looks_only and as_json:
        events.listeners.clear()
    project = open_project(config, events, lambda text: events.send(Command(text=text)))
    events.listeners.append(DeployLogs(project.paths))
    for warning in config.warnings:
        events.notice(warning)
    return project
