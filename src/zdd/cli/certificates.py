"""zddeploy certificates: which there are and until when; renew."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from zdd import terminal
from zdd.cli import options
from zdd.cli.screen import JsonLines
from zdd.conf.nginx_section import NginxSection
from zdd.errors import UsageError
from zdd.operate import certificates
from zdd.operate.certificates import CertificateStatus
from zdd.project import Project
from zdd.terminal import fitted
from zdd.visible import in_json, visible


@options.command("certificates", "looks")
@click.argument("renew", type=click.Choice(["renew"]), required=False)
@click.option("--scheduled", is_flag=True, help="For the timer: after a failure wait until the next try is due.")
@click.option(
    "--lock-timeout",
    type=options.duration,
    metavar="DURATION",
    help="How long to wait until another zddeploy has finished.",
)
def command(project: Project, renew: str | None, scheduled: bool, as_json: bool) -> int:
    r"""
    Show the certificates of HTTPS, or renew them.

    For each one in zdd's own nginx: its hosts, who has issued it, for how many days it lasts, and why the last try to
    renew it failed.

    `renew` asks the authority for those that are due: of which a third of their time, and at most 30 days, is left.
    nginx is reloaded, verified, and the former certificate stays if anything fails. Deploys do the same, and so does
    the timer that `zddeploy enable` writes. With `certificate` nginx is given the files if they have changed.

    \b
    Examples:
      zddeploy certificates
      zddeploy certificates renew
      zddeploy certificates --json
    """
    if renew:
        return _renew(project, scheduled, as_json)
    if scheduled:
        raise UsageError("--scheduled is for `zddeploy certificates renew`")
    found = certificates.look(project)
    if as_json:
        click.echo(in_json({"project": project.name, "certificates": found}))
    elif not found:
        click.echo(_why_none(project.config.nginx))
    for line in [] if as_json else _lines(found):
        click.echo(fitted(line, sys.stdout))
    return 0


def _why_none(nginx: NginxSection) -> str:
    """Return why there is no certificate, and what to write to have one."""
    if nginx.owner:
        return "there are none here: an nginx of your own keeps its own certificates"
    if nginx.is_tls:
        return "there are none yet: a deploy has them issued, and brings them to nginx"
    how = 'https = "auto" in [nginx] has one issued for each host at the next deploy'
    return f"there are none, because nginx does not speak HTTPS: {how}; certificate and certificate_key name your own"


def _lines(found: Sequence[CertificateStatus]) -> list[str]:
    shown, now = [], time.time()
    rows = iter(terminal.table([certificates.line(each) for each in found]) if found else [])
    for each in found:
        shown.append(visible(next(rows)))
        shown += [f"    ! {each.problem}"] if each.problem else []
        if each.failed:
            when = f"{_ago(now - each.failed.at)}, try {each.failed.tries}"
            shown.append(visible(f"    ! the last try ({when}) failed: {certificates.failure_text(each.failed, now)}"))
    return shown


def _ago(seconds: float) -> str:
    """
    Return how long ago something was, as a person says it.

    >>> _ago(-5), _ago(59 * 60), _ago(100 * 3600)
    ('0 min ago', '59 min ago', '100 h ago')
    """
    minutes = max(0, int(seconds // 60))
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"


def _renew(project: Project, scheduled: bool, as_json: bool) -> int:
    """Renew what is due."""
    if as_json:
        project.events.listeners.append(JsonLines())
    from zdd.deploy import certificates as renewing  # here, because looking needs nothing of it

    return renewing.renew(project, scheduled)
