"""zddeploy deploy: bring the new version into service."""

from __future__ import annotations

import time
from pathlib import Path

import click

from zdd.cli import complete, options
from zdd.cli.change import change
from zdd.deploy import plan
from zdd.deploy.deploy import observe
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.events import Plan
from zdd.project import Project


@click.command("deploy")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
@click.option("--dry-run", is_flag=True, help="Print the steps and do nothing.")
@click.option("--rev", help="Branch, tag or commit to deploy instead of the configured one.")
@click.option("--label", help="A word of yours that history shows beside the deploy.")
@click.option("--detach", is_flag=True, help="Return at the switch; the old version drains by itself.")
@click.option("--strict-drain", is_flag=True, help="Drain at once, and exit 4 when connections had to be cut.")
@options.lock_timeout
@options.common
def command(
    services: tuple[str, ...],
    dry_run: bool,
    rev: str | None,
    label: str | None,
    detach: bool,
    strict_drain: bool,
    lock_timeout: float | None,
    conf: Path | None,
    verbose: bool,
    as_json: bool,
) -> int:
    r"""
    Start the new version, prove it, and switch to it.

    Where services are named, the others stay as they are, whatever the configuration file says of them now.

    \b
    Examples:
      zddeploy                   all services of ./deploy.toml or ./deploy.conf
      zddeploy deploy web        only this service
      zddeploy --dry-run         what would be done
    """
    project = options.site_of(conf, verbose, as_json)

    def request() -> Request:
        revision = project.releases.resolve(rev, project.interrupts.check) if project.releases else None
        release, commit = (revision.id, revision.commit) if revision else (None, None)
        return Request("deploy", services, label, release, commit)

    _check_rev(project, rev)
    project.config.check_names(services)
    if dry_run:
        wanted = (rev or project.config.release.rev or "of now") if project.config.release else None
        _tell_plan(project, Request("deploy", services, label, wanted))
        return 0
    return change(project, "deploy", request, lock_timeout, detach, strict_drain)


def _check_rev(project: Project, rev: str | None) -> None:
    if rev and project.releases is None:
        raise UsageError("--rev needs a [release] section: without one the code is where it is, in one version")


def _tell_plan(project: Project, request: Request) -> None:
    target = plan.manifest(project.config, observe(project), request, time.time())
    for step in plan.before_commit(target, project.tables.current()):
        project.events.send(Plan(step=step.name, text=step.words))
