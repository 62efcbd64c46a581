"""What all commands share: the options -c, -v and --json, opening the project, and locking it for a change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from zdd.cli.screen import DeployLogs, JsonLines, Screen
from zdd.conf import read, units
from zdd.conf.schema import Config
from zdd.events import Command, Events
from zdd.project import Project, open_project

F = TypeVar("F", bound=Callable[..., Any])
Kind = Literal["looks", "changes", "deploys"]


def command(name: str, kind: Kind, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """
    Make a command of a function that takes the project and the command's own options.

    If it `looks`, it also takes `as_json`, prints its own answer instead of events, and returns an exit code.
    If it `changes`, it runs while the project's lock is held, after an interrupted deploy has been finished or undone,
    and returns the Result to report.
    If it `deploys`, it also takes `lock_timeout`, since the deploy takes the lock itself, and returns an exit code.
    """

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(conf: Path | None, verbose: bool, as_json: bool, **given: Any) -> int:
            project = project_of(conf, verbose, as_json, looks_only=kind == "looks")
            if kind == "looks":
                return int(function(project, as_json=as_json, **given))
            if kind == "deploys":
                return int(function(project, **given))
            return _change(project, f"zddeploy {name}", function, **given)

        own = list(getattr(run, "__click_params__", []))
        run.__click_params__ = []  # type: ignore[attr-defined]  # click keeps the options there, in reverse
        common(run)
        if kind != "looks":
            lock_timeout(run)
        run.__click_params__ += own  # type: ignore[attr-defined]
        decorate: Callable[[Callable[..., Any]], click.Command] = click.command(name, **settings)
        return decorate(run)

    return make


def _change(project: Project, name: str, function: Callable[..., Any], lock_timeout: float | None, **given: Any) -> int:
    from zdd.deploy import recovery  # here, because commands that only look do not need it

    with project.locked(name, lock_timeout):
        recovery.try_to_finish(project)
        result = function(project, **given)
    project.events.send(result)
    return int(result.exit)


def common(function: F) -> F:
    """Add -c, -v and --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object per line instead of text."),
        click.option("-v", "--verbose", is_flag=True, help="Print every command that runs, and its folder."),
        click.option(
            "-c", "--conf", type=click.Path(path_type=Path), help="Configuration file; ./deploy.toml or ./deploy.conf."
        ),
    ):
        function = option(function)
    return function


class Duration(click.ParamType[float]):
    """A duration as in the configuration; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read 500ms, 30s, 5m, 1h or a bare number of seconds."""
        try:
            return units.seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 500ms, 30s, 5m, 1h", param, ctx)


def lock_timeout(function: F) -> F:
    """Add --lock-timeout."""
    text = "How long to wait until another zddeploy has finished."
    return click.option("--lock-timeout", type=Duration(), metavar="DURATION", help=text)(function)


def project_of(conf: Path | None, verbose: bool, as_json: bool, looks_only: bool = False) -> Project:
    """
    Read the configuration and open the project. Raises UsageError.

    With `looks_only`, --json prints no events: the command prints its own answer.
    """
    config, events = configuration_of(conf, verbose, as_json)
    project = open_project(config, events, lambda text: events.send(Command(text=text)))
    if not looks_only:
        events.listeners.append(DeployLogs(project.paths))
    elif as_json:
        events.listeners.clear()
    for warning in config.warnings:
        events.notice(warning)
    return project


def configuration_of(conf: Path | None, verbose: bool, as_json: bool) -> tuple[Config, Events]:
    """Read the configuration; return it with the events and their first listener. Raises UsageError."""
    return read.load(read.find(conf, Path.cwd())), Events(JsonLines() if as_json else Screen(verbose))
