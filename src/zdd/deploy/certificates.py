"""Certificates that are due are asked for: after each deploy, whose outcome that never changes, and by `renew`."""

from __future__ import annotations

import time

from zdd.acme import renewal
from zdd.acme.renewal import Outcome, Renewal
from zdd.conf import check_tls
from zdd.conf.units import DAY
from zdd.deploy import recovery
from zdd.errors import UsageError, ZddError, as_zdd_error, counted
from zdd.events import Proxy, Result, Unproved
from zdd.nginx.certificates import choice
from zdd.operate.certificates import failure_text
from zdd.project import Project

_NAME = "zddeploy certificates renew"


def after_deploy(project: Project) -> None:
    """
    Ask for the certificates of the deploy that serves, as far as they are due, and have nginx use them.

    Failures are reported: as a notice while browsers accept what a host has, else as `unproved` of its services.
    """
    try:
        outcomes = Renewal(project, lambda: renewal.patient(project).locked(_NAME), at_once=False).run()
    except (ZddError, OSError) as error:
        project.events.notice(f"certificates: {as_zdd_error(error).message}; `{_NAME}` tries again")
        return
    for outcome in outcomes:
        _report(project, outcome, time.time())


def renew(project: Project, scheduled: bool) -> int:
    """
    Renew the certificates of the deployed configuration, even if today's differs; return the exit code.

    Raises ZddError as `_ask` and `_use_files` do.
    """
    serving = renewal.in_force(project).config.nginx
    if project.tables.current() is None:
        text = "nothing is deployed, so nginx has no certificate; `zddeploy` sees to it"
    elif serving.https == "auto":
        return _ask(project, scheduled)
    elif serving.certificate:
        return _use_files(project)
    elif project.config.nginx.is_tls:
        text = "what is deployed has no HTTPS yet; `zddeploy` sees to its certificates, too"
    else:
        text = "there are none: [nginx] has neither https nor certificate"
    project.events.send(Result(text=text))
    return 0


def _use_files(project: Project) -> int:
    """
    Have nginx use the files that `certificate` and `certificate_key` name, if they have changed; return the exit code.

    Raises UsageError, with nothing changed, for files that browsers would refuse.
    """
    with project.interrupts.caught(), recovery.changing(renewal.patient(project), _NAME):
        serving, current = renewal.in_force(project), project.tables.current()
        nginx = serving.config.nginx
        for finding in serving.proxy.certificate_findings(new=True):
            raise UsageError(finding.what, hint=finding.fix)
        if current is None or choice.is_in_use(serving.config, serving.paths):
            project.events.send(Result(text=f"nginx has the certificate that {nginx.certificate} holds"))
            return 0
        done = serving.proxy.mend(current.deploy, serving.proxy.text(current))
    project.events.send(Proxy(subject="nginx", text=done))
    project.events.send(Result(text="nginx has the new certificate"))
    return 0


def _ask(project: Project, scheduled: bool) -> int:
    """
    Ask for the certificates that are due, report what became of them, and return the exit code.

    Without `scheduled` the authority is asked even if it has refused a short time ago. Raises ZddError if one that is
    due could not be had, and Locked.
    """
    with project.interrupts.caught():
        changing = renewal.patient(project)
        outcomes = Renewal(project, lambda: recovery.changing(changing, _NAME), at_once=not scheduled).run()
    now = time.time()
    for outcome in outcomes:
        _report(project, outcome, now, with_not_due=True)
    new, missing = sum(outcome.is_new for outcome in outcomes), [each.held.host for each in outcomes if each.failed]
    if missing:
        failed = ZddError(f"no new certificate for {', '.join(missing)}", hint="`zddeploy certificates` says why")
        project.events.send(Result(outcome="failed", cause=failed.message, exit=failed.exit_code))
        raise failed
    project.events.send(Result(text=counted(new, "new certificate") if new else "no certificate is due"))
    return 0


def _report(project: Project, outcome: Outcome, now: float, with_not_due: bool = False) -> None:
    """Say what became of a host's certificate; `with_not_due` also of one that is not due."""
    host, certificate, failed = outcome.held.host, outcome.held.certificate, outcome.failed
    lasts = f"{counted(int((certificate.ends - now) // DAY), 'day')} left" if certificate else ""
    if outcome.is_new and certificate:
        project.events.notice(f"{host}: a new certificate by {certificate.issued_by}, {lasts}")
    why = f": {failure_text(failed, now)}" if failed else ""
    if not outcome.held.is_valid(now):
        for service in _services(project, host):
            text = f"{service}: browsers do not accept the certificate of {host}{why}"
            project.events.send(Unproved(service=service, reason="certificate", text=text))
    elif failed:
        project.events.notice(f"{host}: the certificate is not renewed, {lasts}{why}")
    elif with_not_due and not outcome.is_new:
        project.events.notice(f"{host}: {lasts}, not due yet")


def _services(project: Project, host: str) -> list[str]:
    """Return the services that visitors reach by this host."""
    config = project.config
    return [name for name, app in config.services.items() if host in check_tls.names(config.nginx, [app])]
