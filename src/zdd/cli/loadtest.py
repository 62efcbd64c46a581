"""zddeploy loadtest: the promise, tried on the user's own project."""

from __future__ import annotations

import sys
import time

import click
import msgspec

from zdd.cli import options
from zdd.deploy import requests
from zdd.deploy.deploy import Options, deploy
from zdd.errors import DeployFailed, UsageError, ZddError
from zdd.load import Load
from zdd.operate import loadtest
from zdd.operate.loadtest import Result, Timeline
from zdd.project import Project

_SHOWN = 20  # failed requests


@options.command("loadtest", "deploys")
@click.option("--rate", type=click.FloatRange(1, 100_000), default=100, show_default=True, help="Requests a second.")
@click.option("--conns", type=click.IntRange(1, 10_000), default=16, show_default=True, help="Keep-alive connections.")
@click.option("--seconds", type=click.FloatRange(0.1), default=5, show_default=True, help="Load before, and after.")
@click.option("--url", help="What to ask for; a health_path through nginx if not given.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def command(
    project: Project,
    rate: float,
    conns: int,
    seconds: float,
    url: str | None,
    yes: bool,
    lock_timeout: float | None,
) -> int:
    r"""
    Restart what serves under load, and show each failed request.

    GET requests are sent before, during and after, for real; the old version is drained and stopped at once, so that
    this is under load, too. Exits 1 when a request failed: refused, reset, cut, late, 5xx, or anything but 2xx.

    \b
    Examples:
      zddeploy loadtest
      zddeploy loadtest --rate 500 --url http://127.0.0.1:8080/search?q=x
    """
    load = loadtest.spec(project, url, rate, conns)
    path = load.kinds[0].path
    project.events.notice(f"load: {rate:g} GET {path} a second to {load.target} on {conns} connections")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked here whether to do it", hint="`zddeploy loadtest --yes`")
        click.confirm(f"Restart {project.name}, which serves real clients?", abort=True, err=True)
    timeline = Timeline()
    project.events.listeners.insert(0, timeline)
    failure: ZddError | None = None
    with Load(load) as running:
        time.sleep(seconds)
        try:
            deploy(project, "loadtest", lambda: requests.restart(project, ()), Options(lock_timeout, strict_drain=True))
        except DeployFailed as error:  # the clients should not have noticed
            failure = error
        time.sleep(seconds)
        found = loadtest.result(running.stop(), timeline)
    _show(found, click.get_current_context().params["as_json"])
    if failure:
        raise failure
    return 1 if found.failed else 0


def _show(found: Result, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"event": "load", **msgspec.structs.asdict(found)}))
        return
    for one in found.failures[:_SHOWN]:
        click.echo(f"  {one.at:8.3f} s  {one.outcome:<8} {one.request}  while: {one.step}  ({one.detail})")
    if len(found.failures) > _SHOWN:
        click.echo(f"  and {len(found.failures) - _SHOWN} more; --json shows them")
    for words, half, most in (
        ("steady", found.p50_ms, found.p99_ms),
        ("deploying", found.p50_ms_deploying, found.p99_ms_deploying),
    ):
        if half is not None:
            click.echo(f"  {words:<10} half are answered within {half:.1f} ms, 99 % within {most:.1f} ms")
    classes = ", ".join(f"{count} {outcome}" for outcome, count in found.failed.items())
    failed = f"{sum(found.failed.values())} failed ({classes})" if classes else "none failed"
    words = f"{found.requests:,} requests, {failed}; the server closed {found.reconnects} connections"
    click.secho(words, fg="red" if classes else "green")
