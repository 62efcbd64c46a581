"""
The systemd timer that rotates nginx's logs where no keeper does: its units, as files that `enable` writes.

The keepers of apps with `run` look after the logs all the time. A project of static services has none. Each run of the
timer also brings nginx to the text that logs requests, or no longer does: so the log begins with `enable`, and ends
with `disable`, before the timer does.
"""

from __future__ import annotations

import pwd
from collections.abc import Sequence

from zdd.conf.schema import Config
from zdd.nginx import own_log
from zdd.operate import timer
from zdd.operate.boot import Piece
from zdd.operate.timer import Timer

_ROTATES = Timer(
    own_log.TIMER,
    "Rotates nginx's logs",
    ["logs", "--rotate"],
    "OnCalendar=minutely\nAccuracySec=30s",
    service="SyslogLevel=notice\nLogLevelMax=notice\n",  # else the journal would tell of each minute
)


def pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units of a project whose access log needs them; none for others."""
    return all_pieces(config, user, program) if own_log.needs_timer(config) else []


def all_pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units, whatever the configuration says: an older one may have needed them."""
    return timer.pieces(_ROTATES, config, user, program, now=True)
