"""A timer of systemd that runs zddeploy now and then: its two units, as files that `enable` writes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import NamedTuple

from zdd.conf.schema import Config
from zdd.host import unit_files
from zdd.operate.boot import Command, Piece, quoted

_SYSTEMCTL = ["systemctl", "--quiet"]
_RELOAD = [*_SYSTEMCTL, "daemon-reload"]


class Timer(NamedTuple):
    """
    What differs from one timer to another.

    `what` is a part of the units' names, `does` completes "... of PROJECT, by zddeploy", `words` are the arguments of
    zddeploy, `times` lines of the section [Timer], `unit` and `service` more lines of [Unit] and [Service].
    """

    what: str
    does: str
    words: Sequence[str]
    times: str
    unit: str = ""
    service: str = ""


def pieces(
    timer: Timer, config: Config, user: pwd.struct_passwd, program: Sequence[str], now: bool = False
) -> list[Piece]:
    """
    Return the two units, the service first.

    With `now` the service is also started at once: after the timer is enabled, and again after it is disabled.
    """
    return [_service(timer, config, user, program), _timer(timer, config, now)]


def _service(timer: Timer, config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> Piece:
    words = [*program, "-c", str(config.path), *timer.words]
    text = f"""\
# Written by `zddeploy enable`, removed by `zddeploy disable`.
[Unit]
Description={timer.does} of {config.project}, by zddeploy
{timer.unit}
[Service]
Type=oneshot
User={user.pw_name}
{timer.service}ExecStart={" ".join(quoted(word) for word in words)}
KillMode=process
"""
    return Piece(unit_files.path(config.project, timer.what, "service"), text, after_removal=[_RELOAD])


def _timer(timer: Timer, config: Config, now: bool) -> Piece:
    text = f"""\
# Written by `zddeploy enable`, removed by `zddeploy disable`.
[Unit]
Description={timer.does} of {config.project} in time, by zddeploy

[Timer]
{timer.times}

[Install]
WantedBy=timers.target
"""
    path = unit_files.path(config.project, timer.what, "timer")
    name = os.path.basename(path)
    start: list[Command] = []
    if now:
        start = [[*_SYSTEMCTL, "start", os.path.basename(unit_files.path(config.project, timer.what, "service"))]]
    return Piece(
        path,
        text,
        after=[_RELOAD, [*_SYSTEMCTL, "enable", name], [*_SYSTEMCTL, "restart", name], *start],
        proof=[[*_SYSTEMCTL, "is-enabled", name], [*_SYSTEMCTL, "is-active", name]],
        before_removal=[[*_SYSTEMCTL, "disable", name], *start, [*_SYSTEMCTL, "stop", name]],
        after_removal=[_RELOAD],
    )
