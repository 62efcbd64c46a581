"""Pause: hold incoming requests for a while, instead of refusing them; the apps keep running."""

from __future__ import annotations

from collections.abc import Sequence

from zdd.conf.services import Service
from zdd.errors import UsageError
from zdd.project import Project


def pause(project: Project, names: Sequence[str], seconds: float) -> tuple[list[str], list[str]]:
    """
    Hold the requests of these services (all, if none is named) for at most this long.

    Return the services whose requests are held now, and those whose requests cannot be held. The keepers release them
    after that time, even if we have died. Raises UsageError if no request can be held.
    """
    limit = project.proxy.read_timeout
    if limit is not None and seconds >= limit:
        raise UsageError(
            f"nginx gives up after {limit:g} s (proxy_read_timeout), so {seconds:g} s is too long",
            hint=f"use a --max below {limit:g}s, or a longer proxy_read_timeout in [nginx]",
        )
    wanted = _services(project, names)
    others = [service.name for service in wanted if service.kind != "fd"]
    if others and all(project.config.services[name].kind == "static" for name in others) and len(others) == len(wanted):
        raise UsageError(
            f"{', '.join(others)}: nginx serves the files by itself, so no request waits for an app",
            hint="`zddeploy maintenance on` answers with 503",
        )
    if others and (names or len(others) == len(wanted)):
        raise UsageError(
            f"requests of {', '.join(others)} cannot be held: the app opens its own socket",
            hint='only services with socket = "fd" can be paused; `zddeploy maintenance on` answers with 503',
        )
    paused = [service.name for service in wanted if service.kind == "fd"]
    instances = _serving(project, paused)
    if not instances:
        raise UsageError(f"{project.name} has no running service that can be paused", hint="see `zddeploy status`")
    for instance in map(project.instances.of, instances):
        if not instance.pause(seconds):
            message = f"{instance.name} cannot pause: it is {instance.state().state}"
            raise UsageError(message, hint="`zddeploy status` tells more")
    return paused, others


def resume(project: Project, names: Sequence[str]) -> list[str]:
    """Release the requests of these services (all, if none is named); return the instances that were paused."""
    services = [service.name for service in _services(project, names)]
    return [name for name in _serving(project, services) if project.instances.of(name).resume()]


def _services(project: Project, names: Sequence[str]) -> list[Service]:
    project.config.check_names(names)
    services = [project.config.services[name] for name in names or project.config.services]
    return [service for service in services if service.is_routed]


def _serving(project: Project, services: Sequence[str]) -> list[str]:
    current = project.tables.current()
    return [instance.name for name in services for instance in (current.of(name) if current else ())]
