"""Checks of what certificates by ACME need: certbot, somebody who renews them, and how the last try ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

from zdd.acme import attempts, authority, certbot, certificates
from zdd.errors import UsageError
from zdd.finding import Finding, error, fine, warning
from zdd.host import systemd
from zdd.nginx.certificates import choice
from zdd.operate import boot_unit, renewal_timer
from zdd.operate.certificates import failure_text
from zdd.project import Project

_UNRENEWED = "certificates end after 90 days or less, and then browsers refuse to show the site"


def findings(project: Project) -> Iterator[Finding]:
    """Yield what `check` says of certificates by ACME."""
    if project.config.nginx.https != "auto":
        return
    yield from _certbot(project)
    yield fine(authority.terms(authority.server(project.config.nginx)))
    now = time.time()
    for host, failed in attempts.of(project.paths).all().items():
        yield warning(
            f"the last try for a certificate of {host} failed: {failed.cause}",
            "browsers refuse to show the site once its certificate has ended",
            failure_text(failed, now).removeprefix(f"{failed.cause}; "),
        )
    yield from notices(project)


def required(project: Project) -> Iterator[Finding]:
    """Yield an error if a host has no certificate that browsers accept, and there is no certbot to get one."""
    if project.config.nginx.https != "auto" or certbot.is_there():
        return
    yield from (finding for finding in _certbot(project) if finding.level == "error")


def notices(project: Project) -> Iterator[Finding]:
    """Yield a warning if nobody renews the certificates between two deploys."""
    if project.config.nginx.https != "auto" or renewal_timer.is_enabled(project.name):
        return
    if systemd.runs():
        cure = f"once: `{boot_unit.enable_command(project.config)}`"
    else:
        cure = f"have cron run, twice a day: `zddeploy -c {project.config.path} certificates renew --scheduled`"
    yield warning("nothing renews the certificates but the next deploy", _UNRENEWED, cure)


def _certbot(project: Project) -> Iterator[Finding]:
    try:
        found = certbot.find(project.commands)
    except UsageError as problem:
        if _all_valid(project):
            yield warning(problem.message, "the certificates cannot be renewed", problem.hint or "")
        else:
            yield error(problem.message, "there is no certificate that browsers accept", problem.hint or "")
    else:
        yield fine(f"certbot {'.'.join(map(str, found.version))}, {found.argv[0]}")


def _all_valid(project: Project) -> bool:
    store, now = choice.store(project.paths), time.time()
    return all(certificates.held(store, host).is_valid(now) for host in choice.hosts(project.config))
