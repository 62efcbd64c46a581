"""The environment that instances start with."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping, Sequence

import msgspec

from zdd.conf import read
from zdd.conf.schema import RunService
from zdd.host import files

# How CI systems find and kill what a job left running (GitHub Actions, Jenkins): a service must outlive its job.
_CI_MARKS = ("RUNNER_TRACKING_ID", "BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE")
_TAKEN_OVER = ("PATH", "LANG", "TZ", "VIRTUAL_ENV")


class ResolvedService(RunService, frozen=True, kw_only=True):
    """
    A service together with what a deploy found outside of the configuration file.

    `from_file` is the content of env_file, `taken_over` are PATH, LANG, TZ and VIRTUAL_ENV of whoever deployed. An app
    that starts from these starts the same whatever has become of env_file and of the shell since.
    """

    from_file: dict[str, str]
    taken_over: dict[str, str]


def resolve(service: RunService) -> ResolvedService:
    """Return the service with what is found now; one that is resolved stays as it is. Raises UsageError."""
    if isinstance(service, ResolvedService):
        return service
    return ResolvedService(**msgspec.structs.asdict(service), from_file=_from_file(service), taken_over=_ours())


def inherited() -> dict[str, str]:
    """Return our own environment, as classic services have always had it, less the marks that CI systems kill by."""
    return {name: value for name, value in os.environ.items() if name not in _CI_MARKS}


def base(user_name: str | None = None, taken_over: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Return PATH, LANG, TZ and VIRTUAL_ENV, and HOME and USER of the user, who is us if not named.

    The first four are `taken_over`, or as they are here.
    """
    user = pwd.getpwnam(user_name) if user_name else pwd.getpwuid(os.geteuid())
    return {**(_ours() if taken_over is None else taken_over), "HOME": user.pw_dir, "USER": user.pw_name}


def remember(path: str) -> None:
    """Write down what `base` takes over from here, for a later start that has no user's shell before it."""
    files.write(path, json.dumps(_ours()), mode=0o600)


def recall(path: str) -> None:
    """Take over from there what was remembered, if anything was."""
    os.environ.update(json.loads(files.read(path) or "{}"))


def clean(service: RunService, ours: Mapping[str, str]) -> dict[str, str]:
    """
    Return what an app starts with: PATH, LANG, TZ and VIRTUAL_ENV as they are here, HOME and USER of its user, then
    env_file, then env, then our own variables. A resolved service has its own four and its own content of env_file.

    Nothing else is taken over, since a CI job's secrets would live on in the app for months.
    Raises UsageError for an env_file that cannot be read.
    """
    found = resolve(service)
    return base(found.user, found.taken_over) | given([found]) | dict(ours)


def given(services: Sequence[RunService]) -> dict[str, str]:
    """Return what env_file and env of these services say; where they differ, the first one's. Raises UsageError."""
    env: dict[str, str] = {}
    for service in reversed(services):
        env |= (service.from_file if isinstance(service, ResolvedService) else _from_file(service)) | service.env
    return env


def _ours() -> dict[str, str]:
    return {name: os.environ[name] for name in _TAKEN_OVER if name in os.environ}


def _from_file(service: RunService) -> dict[str, str]:
    return read.env_file(service.env_file) if service.env_file else {}
