"""What commands share: the options -c, -v and --json, opening the project, and locking it for a change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from msgspec.structs import replace

from zdd.cli import completion
from zdd.cli.screen import DeployLogs, JsonLines, Screen
from zdd.conf import read, units
from zdd.conf.schema import Config
from zdd.errors import UsageError, as_zdd_error
from zdd.events import Events, Result
from zdd.paths import Paths
from zdd.terminal import Terminal, fitted

if TYPE_CHECKING:
    from zdd.project import Project

Kind = Literal["looks", "opens", "reads", "configures", "changes", "deploys"]


def duration(text: object) -> float:
    """Read 500ms, 30s, 5m, 1h or a bare number of seconds."""
    try:
        return units.seconds(str(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a duration such as 500ms, 30s, 5m, 1h") from None


services = click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=completion.services)

_LOCK_TIMEOUT = click.Option(
    ["--lock-timeout"],
    type=duration,
    metavar="DURATION",
    help="How long to wait until another zddeploy has finished.",
)
_COMMON = [
    click.Option(
        ["-c", "--conf"], type=click.Path(path_type=Path), help="Configuration file; ./deploy.toml or ./deploy.conf."
    ),
    click.Option(["-v", "--verbose"], is_flag=True, help="Print every command that runs, and its folder."),
    click.Option(["--json", "as_json"], is_flag=True, help="One JSON object per line instead of text."),
]


def command(name: str, kind: Kind, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """
    Make a command of a function that takes the project and the command's own options, and `as_json` if it needs it.

    If it `looks`, it prints its own answer instead of events, and returns an exit code. If it `opens`, too, but instead
    of the project it takes the function that opens it.
    If it `reads`, too, but only files of the project: it takes the paths, and starts in half the time.
    If it `configures`, it takes the configuration and the events instead of the project, and returns an exit code.
    If it `changes`, it runs while the project's lock is held, after an interrupted deploy has been finished or undone,
    and returns the Result to report.
    If it `deploys`, the deploy takes the lock itself; it returns an exit code.
    """

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(conf: Path | None, verbose: bool, as_json: bool, lock_timeout: float | None = None, **own: Any) -> int:
            if "as_json" in function.__annotations__:
                own["as_json"] = as_json
            if kind == "configures":
                return int(function(*_configuration_of(conf, verbose, as_json), **own))
            if kind == "reads":
                return int(function(_paths_of(conf, verbose, as_json), **own))
            opened = functools.partial(_project_of, conf, verbose, as_json, lock_timeout, kind, name)
            if kind == "changes":
                return _change(opened(), f"zddeploy {name}", function, own)
            return int(function(opened if kind == "opens" else opened(), **own))

        decorate: Callable[[Callable[..., Any]], click.Command] = click.command(name, **settings)
        made = decorate(run)
        made.params += [_LOCK_TIMEOUT, *_COMMON] if kind in ("changes", "deploys") else _COMMON
        return made

    return make


def _change(project: Project, name: str, function: Callable[..., Any], own: dict[str, Any]) -> int:
    from zdd.deploy import recovery  # here, because commands that only look do not need it

    with project.interrupts.caught():  # what was done is reported, whatever signal comes
        try:
            with project.locked(name):
                recovery.try_to_finish(project)
                result = function(project, **own)
        except Exception as error:
            failed = as_zdd_error(error)
            project.events.send(Result(outcome="failed", cause=failed.message, exit=failed.exit_code))
            raise
        project.events.send(result)
    return int(result.exit)


def _project_of(
    conf: Path | None, verbose: bool, as_json: bool, lock_timeout: float | None, kind: Kind, name: str
) -> Project:
    """
    Read the configuration and open the project. Raises UsageError.

    If the command only looks, --json prints no events: the command prints its own answer.
    """
    from zdd.project import open_project  # here, because what only reads or configures does not need it

    looks_only = kind in ("looks", "opens")
    config, events = _configuration_of(conf, verbose, as_json, needs_today=kind == "opens" or name == "deploy")
    if lock_timeout is not None:
        config = replace(config, zdd=replace(config.zdd, lock_timeout=lock_timeout))
    project = open_project(config, events, events.command, looks_only)
    if not looks_only:
        events.listeners.append(DeployLogs(project.paths))
    elif as_json:
        events.listeners.clear()
    if kind == "looks":
        _warn(config)
    else:
        for warning in config.warnings:
            events.notice(warning)
    return project


def _paths_of(conf: Path | None, verbose: bool, as_json: bool) -> Paths:
    """Read the configuration and return the project's paths. Raises UsageError."""
    config, events = _configuration_of(conf, verbose, as_json, needs_today=False)
    paths = Paths(config)
    paths.require(events.notice)
    _warn(config)
    return paths


def _warn(config: Config) -> None:
    """Show the configuration's warnings on stderr: stdout is for the answer, or for the output of `exec`."""
    for warning in config.warnings:
        Terminal(sys.stderr).say(fitted(warning, sys.stderr), "yellow")


def _configuration_of(
    conf: Path | None, verbose: bool, as_json: bool, needs_today: bool = True
) -> tuple[Config, Events]:
    """
    Read the configuration; return it with the events and their first listener. Raises UsageError.

    A command that does not need today's gets the one last deployed if today's is broken or gone.
    """
    return _read(conf, needs_today), Events(JsonLines() if as_json else Screen(verbose))


def _read(conf: Path | None, needs_today: bool) -> Config:
    path: Path | None = None
    try:
        path = read.find(conf, read.here(conf))
        return read.load(path)
    except UsageError as problem:
        if needs_today:
            raise
        from zdd import deployed  # here, because a good configuration file does not need it

        path = path or deployed.path_of(conf, read.here(conf))
        if path is None or (config := deployed.config(path, problem)) is None:
            raise
        return config
