"""The systemd timer that renews a project's certificates: its units, as files that `enable` writes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from zdd.conf.schema import Config
from zdd.host import systemd
from zdd.operate import boot_unit
from zdd.operate.boot import Piece, quoted

_WHAT = "certificates"
# Twice a day, at a time of its own on each machine: authorities ask for that.
_TIMES = "OnCalendar=*-*-* 00,12:00:00\nRandomizedDelaySec=6h\nPersistent=true"
_SYSTEMCTL = ["systemctl", "--quiet"]
_RELOAD = [*_SYSTEMCTL, "daemon-reload"]
_HANDED_ON = "REQUESTS_CA_BUNDLE"  # certbot's: the file with the root certificate of an authority of one's own


def path(project: str, kind: str = "timer") -> str:
    """Return the path of the timer, or of the service that it starts."""
    return f"{boot_unit.FOLDER}/{systemd.unit_name(project, _WHAT)}.{kind}"


def is_enabled(project: str) -> bool:
    """Return whether systemd starts the timer at boot."""
    return os.path.lexists(f"{boot_unit.FOLDER}/timers.target.wants/{os.path.basename(path(project))}")


def pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units of a project with certificates; none for others. Files may be renewed by somebody else."""
    return all_pieces(config, user, program) if config.nginx.is_tls else []


def all_pieces(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> list[Piece]:
    """Return the two units, whatever the configuration says: an older one may have needed them."""
    return [_service(config, user, program), _timer(config)]


def _service(config: Config, user: pwd.struct_passwd, program: Sequence[str]) -> Piece:
    words = [*program, "-c", str(config.path), "certificates", "renew", "--scheduled"]
    bundle = os.environ.get(_HANDED_ON)
    environment = f"Environment={quoted(f'{_HANDED_ON}={bundle}')}\n" if bundle else ""
    text = f"""\
# Written by `zddeploy enable`, removed by `zddeploy disable`.
[Unit]
Description=Renews the certificates of {config.project}, by zddeploy
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
User={user.pw_name}
{environment}ExecStart={" ".join(quoted(word) for word in words)}
KillMode=process
"""
    return Piece(path(config.project, "service"), text, after_removal=[_RELOAD])


def _timer(config: Config) -> Piece:
    text = f"""\
# Written by `zddeploy enable`, removed by `zddeploy disable`.
[Unit]
Description=Renews the certificates of {config.project} in time, by zddeploy

[Timer]
{_TIMES}

[Install]
WantedBy=timers.target
"""
    name = os.path.basename(path(config.project))
    return Piece(
        path(config.project),
        text,
        after=[_RELOAD, [*_SYSTEMCTL, "enable", name], [*_SYSTEMCTL, "restart", name]],
        proof=[[*_SYSTEMCTL, "is-enabled", name], [*_SYSTEMCTL, "is-active", name]],
        before_removal=[[*_SYSTEMCTL, "disable", "--now", name]],
        after_removal=[_RELOAD],
    )
