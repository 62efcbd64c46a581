"""zddeploy deploy: put the new version into service."""

from __future__ import annotations

import click

from zdd import secret
from zdd.cli import options
from zdd.deploy import plan
from zdd.deploy.deploy import deploy, planned
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.events import Plan
from zdd.project import Project


@options.command("deploy", "deploys")
@options.services
@click.option("--dry-run", is_flag=True, help="Print the steps and do nothing.")
@click.option(
    "--rev",
    callback=lambda *given: _not_empty(given[2]),
    help="Branch, tag or commit to deploy instead of the configured one.",
)
@click.option("--rebuild", is_flag=True, help="Build the commit again, in a new folder.")
@click.option("--label", help="A label that history shows beside the deploy.")
@click.option("--detach", is_flag=True, help="Return after the switch; the old version drains by itself.")
@click.option("--strict-drain", is_flag=True, help="Drain at once, and exit 4 if connections had to be cut.")
def command(
    project: Project,
    services: tuple[str, ...],
    dry_run: bool,
    rev: str | None,
    rebuild: bool,
    label: str | None,
    detach: bool,
    strict_drain: bool,
) -> int:
    r"""
    Start the new version, prove it, and switch to it.

    If services are named, the others stay as they are, whatever the configuration file says about them now.
    A commit that was built before is not built again, except with --rebuild: for example after an upgrade of the
    system that has taken away what the release was built with. What serves is not touched.

    \b
    Examples:
      zddeploy                   all services of ./deploy.toml or ./deploy.conf
      zddeploy deploy web        only this service
      zddeploy --dry-run         what would be done
    """

    def wanted() -> Request:
        revision = project.releases.resolve(rev, rebuild) if project.releases else None
        release, commit = (revision.id, revision.commit) if revision else (None, None)
        return Request("deploy", services, label and secret.readable(label), release, commit)

    if (rev or rebuild) and project.releases is None:
        option = "--rev" if rev else "--rebuild"
        raise UsageError(f"{option} needs a [release] section: without it, the code in its folder is the only version")
    project.config.check_names(services)
    if dry_run:
        release = (rev or project.config.release.rev or "of now") if project.config.release else None
        target = planned(project, Request("deploy", services, label, release))
        for step in plan.before_commit(target, project.tables.current(), project.config):
            project.events.send(Plan(step=step.name, text=step.line))
        return 0
    return deploy(project, "deploy", wanted, detach, strict_drain)


def _not_empty(rev: str | None) -> str | None:
    """Return it. Raises UsageError where it is empty: the configured revision would be deployed in its place."""
    if rev is not None and not rev.strip():
        raise UsageError(
            "--rev is empty, so it names no commit",
            hint="name a branch, a tag or a commit; in a script, see whether the variable is set",
        )
    return rev
