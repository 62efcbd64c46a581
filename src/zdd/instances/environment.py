"""What apps start with: the environment, and the user."""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Mapping, Sequence

import msgspec

from zdd.conf.services import RunService
from zdd.errors import UsageError
from zdd.host import files
from zdd.host.command import Identity

# How CI systems find and kill what a job left running (GitHub Actions, Jenkins): a service must outlive its job.
_CI_MARKS = ("RUNNER_TRACKING_ID", "BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE")
_LOADER = ("LD_", "GLIBC_TUNABLES", "GCONV_PATH")
_TAKEN_OVER = ("PATH", "LANG", "TZ", "VIRTUAL_ENV")

USER_NEEDS = "set user to one who can read the code, and write where the app writes"
"""What to do about an app that runs as root."""


class ResolvedService(RunService, frozen=True, kw_only=True):
    """
    A service together with the environment that the deploy found outside the configuration file.

    `from_file` is the content of env_file. `taken_over` has PATH, LANG, TZ and VIRTUAL_ENV of the user who deployed. An
    app restarts the same from these, even if env_file or the shell have changed since.
    """

    from_file: dict[str, str]
    taken_over: dict[str, str]


def resolve(service: RunService) -> ResolvedService:
    """Return the service with the environment of now; a resolved one stays as it is. Raises UsageError."""
    if isinstance(service, ResolvedService):
        return service
    return ResolvedService(**msgspec.structs.asdict(service), from_file=_from_file(service), taken_over=_ours())


def inherited() -> dict[str, str]:
    """Return our own environment, for classic services, without the marks by which CI systems kill processes."""
    return {name: value for name, value in os.environ.items() if name not in _CI_MARKS}


def base(user_name: str | None = None, taken_over: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Return PATH, LANG, TZ and VIRTUAL_ENV, and the HOME and USER of a user (by default, ours).

    The first four come from `taken_over`, by default from our own environment. If passwd does not contain us, as in
    containers, HOME is that of our environment, and USER our number.
    """
    try:
        user = pwd.getpwnam(user_name) if user_name else pwd.getpwuid(os.geteuid())
        home, name = user.pw_dir, user.pw_name
    except KeyError:
        home, name = os.environ.get("HOME", "/"), user_name or str(os.geteuid())
    return {**(_ours() if taken_over is None else taken_over), "HOME": home, "USER": name}


def remember(path: str) -> None:
    """Record what `base` takes over from our environment, for a later start without a user's shell."""
    files.write(path, json.dumps(_ours()), mode=0o600)


def recall(path: str) -> None:
    """Put what `remember` recorded, if anything, into our environment."""
    known = files.read_object(path)
    for name in _TAKEN_OVER:
        if isinstance(text := known.get(name), str) and "\0" not in text:
            os.environ[name] = text


def clean(service: RunService, ours: Mapping[str, str]) -> dict[str, str]:
    """
    Return an app's environment: PATH, LANG, TZ and VIRTUAL_ENV, HOME and USER of its user, then env_file, then env,
    then our own variables. A resolved service has recorded the first four and the content of env_file.

    Nothing else is taken over: a CI job's secrets would stay in the app for months.
    Raises UsageError for an env_file that cannot be read.
    """
    resolved = resolve(service)
    return base(resolved.user, resolved.taken_over) | given([resolved]) | dict(ours)


def given(services: Sequence[RunService]) -> dict[str, str]:
    """Return the variables in env_file and env of these services; the first service wins. Raises UsageError."""
    env: dict[str, str] = {}
    for service in reversed(services):
        env |= (service.from_file if isinstance(service, ResolvedService) else _from_file(service)) | service.env
    return env


def for_hooks(services: Sequence[RunService]) -> dict[str, str]:
    """
    Return the variables of these services for commands that we run ourselves, as the hooks of [zdd].

    What the dynamic loader reads (ld.so(8)) is left out where the app is another user: it may name files of the app's.
    """
    env: dict[str, str] = {}
    for service in reversed(services):
        uid = identity_of(service).uid
        own = given([service])
        env |= own if uid in (None, os.geteuid()) else {k: v for k, v in own.items() if not k.startswith(_LOADER)}
    return env


def identity_of(service: RunService) -> Identity:
    """
    Return the uid, gid and groups to run as.

    Raises UsageError if the user or group is unknown, or if we may not switch to it.
    """
    if service.user is None and service.group is None:
        return Identity()
    try:
        user = pwd.getpwnam(service.user) if service.user else pwd.getpwuid(os.geteuid())
    except KeyError:
        if service.user is None:
            raise _we_are_unknown(service) from None
        raise _unknown(service, "user", service.user, "adduser --system") from None
    try:
        gid = grp.getgrnam(service.group).gr_gid if service.group else user.pw_gid
    except KeyError:
        raise _unknown(service, "group", service.group, "addgroup --system") from None
    if os.geteuid() not in (0, user.pw_uid):
        raise UsageError(
            f"[service.{service.name}] user = {service.user!r} needs root",
            hint="run zddeploy as root, or leave user out",
        )
    return Identity(user.pw_uid, gid, os.getgrouplist(user.pw_name, gid))


def _ours() -> dict[str, str]:
    """Return what apps take over from our environment. Raises UsageError if it cannot be recorded."""
    ours = {name: os.environ[name] for name in _TAKEN_OVER if name in os.environ}
    for name, value in ours.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the variable {name} is not UTF-8: {value!r}", hint=f"set {name} to UTF-8 text") from None
    return ours


def _from_file(service: RunService) -> dict[str, str]:
    if not service.env_file:
        return {}
    from zdd.conf import env_file  # here, because most services have none

    return env_file.read(service.env_file)


def _unknown(service: RunService, key: str, name: str | None, command: str) -> UsageError:
    message = f'[service.{service.name}] {key} = "{name}": this machine has no such {key}'
    return UsageError(message, hint=f"`{command} {name}` adds it")


def _we_are_unknown(service: RunService) -> UsageError:
    return UsageError(
        f"[service.{service.name}] group = {service.group!r}: passwd does not contain us, user {os.geteuid()}, "
        "so our groups are unknown",
        hint="leave group out: the app then has the groups that zddeploy has",
    )
