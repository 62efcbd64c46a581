"""Requests that wait while something is done that they should not meet: they are held, not refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zdd.conf.schema import RunService
from zdd.errors import UsageError
from zdd.project import Project


class Paused(NamedTuple):
    """Which services' requests wait now, and which ones' cannot."""

    services: list[str]
    others: list[str]


def pause(project: Project, names: Sequence[str], seconds: float) -> Paused:
    """
    Have requests of these services (all, if none is named) wait from now on, at most this long.

    Their keepers let them in after that time, whatever becomes of us. Raises UsageError where nobody can wait.
    """
    limit = project.proxy.read_timeout
    if limit is not None and seconds >= limit:
        raise UsageError(
            f"nginx gives up waiting after {limit:g} s (proxy_read_timeout), so {seconds:g} s are too long",
            hint=f"a --max below {limit:g}s, or a longer proxy_read_timeout in [nginx]",
        )
    wanted = _services(project, names)
    others = [service.name for service in wanted if service.socket != "fd"]
    if others and (names or len(others) == len(wanted)):
        raise UsageError(
            f"requests of {', '.join(others)} cannot wait: the app has a socket of its own",
            hint='services with socket = "fd" can pause; `zddeploy maintenance on` answers everybody else 503',
        )
    paused = [service.name for service in wanted if service.socket == "fd"]
    instances = _serving(project, paused)
    if not instances:
        raise UsageError(f"nothing of {project.name} serves that could pause", hint="`zddeploy status` tells more")
    for name in instances:
        project.instances.pause(name, seconds)
    return Paused(paused, others)


def resume(project: Project, names: Sequence[str]) -> list[str]:
    """Let the requests of these services (all, if none is named) in; returns the instances for which some waited."""
    services = [service.name for service in _services(project, names)]
    return [name for name in _serving(project, services) if project.instances.resume(name)]


def _services(project: Project, names: Sequence[str]) -> list[RunService]:
    project.config.check_names(names)
    services = [project.config.services[name] for name in names or project.config.services]
    return [service for service in services if isinstance(service, RunService) and service.socket != "none"]


def _serving(project: Project, services: Sequence[str]) -> list[str]:
    current = project.tables.current()
    return [one.name for name in services for one in (current.of(name) if current else ())]
