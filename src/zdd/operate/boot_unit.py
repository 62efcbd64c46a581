"""The systemd unit that starts a project at boot, and the command that writes the unit."""

from __future__ import annotations

import os
import pwd
import sys

from zdd.conf.schema import Config
from zdd.host import foreign, low_ports, systemd, unit_files
from zdd.nginx.config import listen, parse

FOLDER = unit_files.FOLDER


def name(project: str) -> str:
    """Return the unit's name."""
    return f"{systemd.unit_name(project, 'boot')}.service"


def path(project: str) -> str:
    """Return the unit's path."""
    return f"{FOLDER}/{name(project)}"


def is_enabled(project: str) -> bool:
    """Return whether systemd starts the unit at boot."""
    return os.path.lexists(f"{FOLDER}/multi-user.target.wants/{name(project)}")


def enable_command(config: Config) -> str:
    """Return the command that writes the unit, with the program's full path, since sudo has another PATH."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}{' '.join(program())} -c {config.path} enable"


def needs_low_ports(config: Config, user: pwd.struct_passwd) -> bool:
    """Return whether this user's nginx listens on a port that only root, or the project's unit, may listen on."""
    nginx = config.nginx
    if user.pw_uid == 0 or nginx.include:
        return False
    wanted = {listen.port(address) for address in nginx.addresses}
    if nginx.template:
        wanted = listen.ports_of(parse.parse(foreign.text(str(nginx.template), "replace"), template=True))
    return any(port < low_ports.first_free() for port in wanted)


def start_command(config: Config) -> list[str]:
    """Return the command that starts what was served last, and nginx, as at boot."""
    return ["systemctl", "--quiet", "restart", name(config.project)]


def program() -> list[str]:
    """Return the command that runs zddeploy from any folder."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) in ("zddeploy", "zdd") and os.access(called, os.X_OK):
        return [called]
    return [sys.executable, "-m", "zdd"]
