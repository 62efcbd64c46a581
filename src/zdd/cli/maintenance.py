"""zddeploy maintenance: everything is answered 503, with a page that says why."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.events import Result
from zdd.operate import maintenance
from zdd.project import Project


@options.command("maintenance", "changes")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--message", default=maintenance.MESSAGE, metavar="TEXT", help="What the page says.")
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own page, HTML.")
def command(project: Project, switch: str, message: str, page: Path | None) -> Result:
    r"""
    Answer everything with 503 and a page, or stop doing so.

    With Retry-After; nginx is not reloaded. The apps run on, and deploys go on working. A reboot ends it.

    \b
    Examples:
      zddeploy maintenance on --message "Back at noon"
      zddeploy maintenance off
    """
    if switch == "on":
        maintenance.on(project, maintenance.own_page(page) if page else maintenance.page(message))
        text = "everything is answered 503: `zddeploy maintenance off` ends it"
    else:
        text = "requests are answered again" if maintenance.off(project) else "maintenance was not on"
    return Result(outcome="done", cause=None, maintenance=switch, exit=0, text=text)
