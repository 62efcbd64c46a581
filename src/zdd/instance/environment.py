"""The environment that instances start with."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping, Sequence

from zdd.conf import env_file
from zdd.conf.schema import RunService
from zdd.host import files

# How CI systems find and kill what a job left running (GitHub Actions, Jenkins): a service must outlive its job.
_CI_MARKS = ("RUNNER_TRACKING_ID", "BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE")
_TAKEN_OVER = ("PATH", "LANG", "TZ", "VIRTUAL_ENV")


def inherited() -> dict[str, str]:
    """Return our own environment, as classic services have always had it, less the marks that CI systems kill by."""
    return {name: value for name, value in os.environ.items() if name not in _CI_MARKS}


def base(user_name: str | None = None) -> dict[str, str]:
    """Return PATH, LANG, TZ and VIRTUAL_ENV as they are here, and HOME and USER of the user, who is us if not named."""
    user = pwd.getpwnam(user_name) if user_name else pwd.getpwuid(os.geteuid())
    env = {name: os.environ[name] for name in _TAKEN_OVER if name in os.environ}
    return env | {"HOME": user.pw_dir, "USER": user.pw_name}


def remember(path: str) -> None:
    """Write down what `base` takes over from here, for a later start that has no user's shell before it."""
    files.write(path, json.dumps({name: os.environ[name] for name in _TAKEN_OVER if name in os.environ}))


def recall(path: str) -> None:
    """Take over from there what was remembered, if anything was."""
    os.environ.update(json.loads(files.read(path) or "{}"))


def clean(service: RunService, ours: Mapping[str, str]) -> dict[str, str]:
    """
    Return what an app starts with: PATH, LANG, TZ and VIRTUAL_ENV as they are here, HOME and USER of its user, then
    env_file, then env, then our own variables.

    Nothing else is taken over, since a CI job's secrets would live on in the app for months.
    Raises UsageError for an env_file that cannot be read.
    """
    return base(service.user) | given([service]) | dict(ours)


def given(services: Sequence[RunService]) -> dict[str, str]:
    """Return what env_file and env of these services say; where they differ, the first one's. Raises UsageError."""
    env: dict[str, str] = {}
    for service in reversed(services):
        env |= (env_file.read(service.env_file) if service.env_file else {}) | service.env
    return env
