"""zddeploy loadtest: test on the user's own project that a deploy loses no request."""

from __future__ import annotations

import sys
import time

import click
import msgspec

from zdd.cli import options
from zdd.deploy import requests
from zdd.deploy.deploy import deploy
from zdd.errors import DeployFailed, UsageError, ZddError
from zdd.load import Load
from zdd.operate import loadtest
from zdd.operate.loadtest import Result, Timeline
from zdd.project import Project
from zdd.visible import in_json, visible

_SHOWN = 20  # failed requests


@options.command("loadtest", "deploys")
@click.option("--rate", type=click.FloatRange(1, 100_000), default=100, show_default=True, help="Requests a second.")
@click.option("--conns", type=click.IntRange(1, 10_000), default=16, show_default=True, help="Keep-alive connections.")
@click.option("--seconds", type=click.FloatRange(0.1), default=5, show_default=True, help="Load before and after.")
@click.option("--url", help="URL to request; by default a health_path through nginx.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(
    project: Project,
    rate: float,
    conns: int,
    seconds: float,
    url: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    r"""
    Restart the release under load; show failed requests.

    It sends real GET requests before, during and after the restart. The old version is drained and stopped at once, so
    that this happens under load, too. Exits 1 if a request failed: refused, reset, cut, late, 5xx, or anything but 2xx.

    \b
    Examples:
      zddeploy loadtest
      zddeploy loadtest --rate 500 --url http://127.0.0.1:8080/search?q=x
    """
    load = loadtest.spec(project, url, rate, conns)
    path = load.kinds[0].path
    project.events.notice(f"load: {rate:g} GET {path} a second to {load.target} on {conns} connections")
    if not yes:
        _confirm(project)
    timeline = Timeline()
    project.events.listeners.insert(0, timeline)
    failure: ZddError | None = None
    with Load(load) as running:
        time.sleep(seconds)
        try:
            deploy(project, "loadtest", lambda: requests.restart(project, ()), strict_drain=True)
        except DeployFailed as error:  # clients must not notice it, so go on
            failure = error
        time.sleep(seconds)
        result = loadtest.result(running.stop(), timeline)
    _show(result, as_json)
    if failure:
        raise failure
    return 1 if result.failed else 0


def _confirm(project: Project) -> None:
    """Ask whether to restart. Raises UsageError if nobody can be asked, Abort if the answer is no."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask whether to do it", hint="`zddeploy loadtest --yes`")
    click.confirm(f"Restart {project.name}, which serves real clients?", abort=True, err=True)


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        click.echo(in_json({"event": "load", **msgspec.structs.asdict(result)}))
        return
    for failure in result.failures[:_SHOWN]:
        what = f"{failure.outcome:<8} {failure.request}  while: {failure.step}  ({failure.detail})"
        click.echo(f"  {failure.at:8.3f} s  {visible(what)}")
    if len(result.failures) > _SHOWN:
        click.echo(f"  and {len(result.failures) - _SHOWN} more; --json shows them")
    for phase, half, most in (
        ("steady", result.p50_ms, result.p99_ms),
        ("deploying", result.p50_ms_deploying, result.p99_ms_deploying),
    ):
        if half is not None:
            click.echo(f"  {phase:<10} half are answered within {half:.1f} ms, 99 % within {most:.1f} ms")
    classes = ", ".join(f"{count} {outcome}" for outcome, count in result.failed.items())
    failed = f"{sum(result.failed.values())} failed ({classes})" if classes else "none failed"
    summary = f"{result.requests:,} requests, {failed}; the server closed {result.reconnects} connections"
    click.secho(summary, fg="red" if classes else "green")
