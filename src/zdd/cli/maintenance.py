"""zddeploy maintenance: everything is answered 503, with a page that says why."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.events import Result
from zdd.lock import changing
from zdd.operate import maintenance


@click.command("maintenance")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--message", default=maintenance.MESSAGE, metavar="TEXT", help="What the page says.")
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own page, HTML.")
@options.lock_timeout
@options.common
def command(
    switch: str,
    message: str,
    page: Path | None,
    lock_timeout: float | None,
    conf: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    r"""
    Answer everything with 503 and a page, or stop doing so.

    With Retry-After; nginx is not reloaded. The apps run on, and deploys go on working. A reboot ends it.

    \b
    Examples:
      zddeploy maintenance on --message "Back at noon"
      zddeploy maintenance off
    """
    project = options.site_of(conf, verbose, as_json)
    with changing(project, f"zddeploy maintenance {switch}", lock_timeout):
        if switch == "on":
            maintenance.on(project, maintenance.own_page(page) if page else maintenance.page(message))
            text = "everything is answered 503: `zddeploy maintenance off` ends it"
        else:
            text = "requests are answered again" if maintenance.off(project) else "maintenance was not on"
    project.events.send(Result(outcome="done", cause=None, maintenance=switch, exit=0, text=text))
    return 0
