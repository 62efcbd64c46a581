"""The systemd timer that renews a project's certificates: its units, as files that `enable` writes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from zdd.conf.schema import Config
from zdd.host import unit_files
from zdd.operate import timer
from zdd.operate.boot import Piece, quoted
from zdd.operate.timer import Timer

_WHAT = "certificates"
# Twice a day, at a time of its own on each machine: authorities ask for that.
_TIMES = "OnCalendar=*-*-* 00,12:00:00\nRandomizedDelaySec=6h\nPersistent=true"
_ONLINE = "After=network-online.target\nWants=network-online.target\n"
_HANDED_ON = "REQUESTS_CA_BUNDLE"  # certbot's: the file with the root certificate of an authority of one's own


def is_enabled(project: str) -> bool:
    """Return whether systemd starts the timer at boot."""
    return unit_files.is_timer_enabled(project, _WHAT)


def pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units of a project with certificates; none for others. Files may be renewed by somebody else."""
    return all_pieces(config, user, program) if config.nginx.is_tls else []


def all_pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units, whatever the configuration says: an older one may have needed them."""
    bundle = os.environ.get(_HANDED_ON)
    environment = f"Environment={quoted(f'{_HANDED_ON}={bundle}')}\n" if bundle else ""
    words = ["certificates", "renew", "--scheduled"]
    renews = Timer(_WHAT, "Renews the certificates", words, _TIMES, unit=_ONLINE, service=environment)
    return timer.pieces(renews, config, user, program)
