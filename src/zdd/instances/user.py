"""The user that a service runs as."""

from __future__ import annotations

import grp
import os
import pwd

from zdd.conf.schema import RunService
from zdd.errors import UsageError
from zdd.host.command import Identity

USER_NEEDS = "set user to one who can read the code, and write where the app writes"
"""What to do about an app that runs as root."""


def of(service: RunService) -> Identity:
    """
    Return the uid, gid and groups to run as.

    Raises UsageError if the user or group is unknown, or if we may not switch to it.
    """
    if service.user is None and service.group is None:
        return Identity()
    try:
        user = pwd.getpwnam(service.user) if service.user else pwd.getpwuid(os.geteuid())
    except KeyError:
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


def _unknown(service: RunService, key: str, name: str | None, command: str) -> UsageError:
    words = f'[service.{service.name}] {key} = "{name}": this machine has no such {key}'
    return UsageError(words, hint=f"`{command} {name}` adds it")
