"""zddeploy maintenance: answer every request with 503 and a page that says why."""

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
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own HTML page.")
def command(project: Project, switch: str, message: str, page: Path | None) -> Result:
    r"""
    Answer every request with 503 and a page, or stop doing so.

    The answer has a Retry-After header. nginx is not reloaded, apps keep running, and deploys work. A reboot ends it.

    \b
    Examples:
      zddeploy maintenance on --message "Back at noon"
      zddeploy maintenance off
    """
    if switch == "on":
        maintenance.on(project, maintenance.own_page(page) if page else maintenance.page(message))
        text = "every request is answered with 503: `zddeploy maintenance off` ends it"
    else:
        text = "requests are answered again" if maintenance.off(project) else "maintenance was not on"
    return Result(maintenance=switch, text=text)
