"""`zddeploy check`: look at everything that a deploy depends on, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from zdd.checks import machine, names, nginx, preflight, services, static_sites, surroundings
from zdd.errors import ZddError, of_system
from zdd.finding import Finding, error
from zdd.project import Project


def _acme(project: Project) -> Iterator[Finding]:
    if project.config.nginx.https == "auto":
        from zdd.checks import certificates  # here, because most projects have none

        yield from certificates.findings(project)


CHECKS: dict[str, Callable[[Project], Iterable[Finding]]] = {
    "surroundings": surroundings.findings,
    "services": services.services,
    "commands": services.commands,
    "release": services.release,
    "nginx": nginx.nginx,
    "text": lambda project: project.proxy.text_findings(),
    "gate": nginx.gate,
    "ports": nginx.ports,
    "names": names.findings,
    "certificates": lambda project: project.proxy.certificate_findings(),
    "acme": _acme,
    "access": preflight.access,
    "static": static_sites.access,
    "env_files": preflight.env_files,
    "sudo": nginx.sudo,
    "system": preflight.notices,
    "limits": machine.limits,
    "memory": machine.memory,
    "disk": machine.disk,
    "state": machine.state,
}


def check(project: Project) -> list[tuple[str, Finding]]:
    """Return the findings of all checks, each once, with the check's name. A check that fails gives an error."""
    findings: dict[str, tuple[str, Finding]] = {}
    for name in CHECKS:
        for finding in _run(name, project):
            findings.setdefault(finding.what, (name, finding))
    return list(findings.values())


def broken(problem: ZddError | OSError) -> Finding:
    """Return the finding that a check failed."""
    if isinstance(problem, ZddError):
        return error(problem.message, "a deploy would be refused", problem.hint or "")
    return error(of_system(problem), "a deploy would fail", getattr(problem, "cure", ""))


def _run(name: str, project: Project) -> Iterator[Finding]:
    try:
        yield from CHECKS[name](project)
    except (ZddError, OSError) as problem:
        yield broken(problem)
