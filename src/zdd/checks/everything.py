"""`zddeploy check`: look at everything that a deploy depends on, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from zdd.checks import machine, nginx, preflight, services
from zdd.errors import ZddError, of_system
from zdd.finding import Finding, error
from zdd.project import Project

CHECKS: dict[str, Callable[[Project], Iterable[Finding]]] = {
    "services": services.services,
    "commands": services.commands,
    "release": services.release,
    "nginx": nginx.nginx,
    "text": nginx.text,
    "ports": nginx.ports,
    "access": preflight.access,
    "sudo": nginx.sudo,
    "system": preflight.notices,
    "limits": machine.limits,
    "memory": machine.memory,
    "disk": machine.disk,
    "state": machine.state,
}


class Found(msgspec.Struct, kw_only=True):
    """A finding, and the check that found it."""

    check: str
    finding: Finding


def check(project: Project) -> list[Found]:
    """Return the findings of all checks, each once. A check that fails gives an error that says why."""
    found: dict[str, Found] = {}
    for name in CHECKS:
        for finding in _run(name, project):
            found.setdefault(finding.what, Found(check=name, finding=finding))
    return list(found.values())


def broken(problem: ZddError | OSError) -> Finding:
    """Return the finding that a check failed."""
    if isinstance(problem, ZddError):
        return error(problem.message, "a deploy would be refused", problem.hint or "")
    return error(of_system(problem), "it could not be looked at", "")


def _run(name: str, project: Project) -> list[Finding]:
    findings: list[Finding] = []
    try:
        for finding in CHECKS[name](project):
            findings.append(finding)  # noqa: PERF402  (findings from before a failure stay)
    except (ZddError, OSError) as problem:
        findings.append(broken(problem))
    return findings
