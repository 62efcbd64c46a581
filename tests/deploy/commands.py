"""A changing command, as it runs while it holds the lock."""

from __future__ import annotations

from zdd.deploy import recovery
from zdd.deploy.deploy import carry_out
from zdd.deploy.plan import Request
from zdd.project import Project


def deploy(project: Project, request: Request) -> object:
    recovery.finish_interrupted(project)
    return carry_out(project, request)
