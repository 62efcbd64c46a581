"""After a deploy: certificates that are due are asked for. Whatever comes of that, the deploy is done."""

from __future__ import annotations

import time

from zdd.acme import renewal
from zdd.acme.attempts import Attempt
from zdd.acme.renewal import Outcome, Renewal
from zdd.conf import check_tls
from zdd.errors import Locked, ZddError, as_zdd_error
from zdd.events import Unproved
from zdd.operate.certificates import days, until
from zdd.project import Project


def ask(project: Project) -> None:
    """
    Ask for the certificates of the deploy that serves, as far as they are due, and have nginx use them.

    Failures are told: as a notice while browsers accept what a host has, else as `unproved` of its services.
    """
    try:
        outcomes = Renewal(project, lambda: renewal.patient(project).locked("zddeploy certificates"), False).run()
    except Locked as busy:
        project.events.notice(f"certificates: {busy.message}")
        outcomes = []
    except (ZddError, OSError) as error:
        project.events.notice(f"certificates: {as_zdd_error(error).message}; `zddeploy certificates renew` tries again")
        outcomes = []
    _tell(project, outcomes)


def _tell(project: Project, outcomes: list[Outcome]) -> None:
    now = time.time()
    for held, failed, is_new, _ in outcomes:
        if is_new and held.certificate:
            issuer = held.certificate.issued_by
            project.events.notice(f"{held.host}: new certificate of {issuer}, until {until(held.certificate.ends)}")
        if not held.is_valid(now):
            why = f": {reason(failed, now)}" if failed else ""
            for service in _services(project, held.host):
                text = f"{service}: browsers do not accept the certificate of {held.host}{why}"
                project.events.send(Unproved(service=service, reason="certificate", text=text))
        elif failed and held.certificate:
            left = days(held.certificate.ends - now)
            project.events.notice(f"{held.host}: its certificate is not renewed, {left} left: {reason(failed, now)}")


def reason(failed: Attempt, now: float) -> str:
    """Return why the last try failed, what to do, and when the next one is due."""
    again = f"; next try {until(failed.next)}" if failed.next > now else ""
    return f"{failed.cause}; {failed.hint}{again}"


def _services(project: Project, host: str) -> list[str]:
    """Return the services that visitors reach by this host."""
    config = project.config
    return [name for name, app in config.services.items() if host in check_tls.names(config.nginx, [app])]
