"""
systemd, where it runs: a process that must outlive a login or a job gets its own unit (systemd-run(1)).

The manager starts such a unit, not we: it inherits nothing of our session, environment, limits or namespaces. It costs
about 10 ms. With `KillMode=process` and `ExitType=cgroup` (since 250) the unit lasts until all its processes have
ended: the death of a keeper ends neither the unit nor the app.
"""

from __future__ import annotations

import functools
import math
import os
import pwd
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zdd.host import files, process
from zdd.host.clock import Clock
from zdd.host.command import Commands, Spawned

_EXIT_TYPE_SINCE = 250
_LINGER = "/var/lib/systemd/linger"
_POLL = 0.02  # seconds between looks whether a command is in its unit
_EXEC = 25  # looks without a title, after which it has given itself none: an exec(2) is over by then


class Unit(NamedTuple):
    """A unit to start: its name without .service, what `systemctl status` shows, and further properties."""

    name: str
    description: str
    properties: Mapping[str, str]


class Manager:
    """The service manager of our processes: the system's for root, the user's own for others."""

    def __init__(self, uid: int, version: int) -> None:
        self.uid = uid
        self.version = version
        self.environment = {"XDG_RUNTIME_DIR": f"/run/user/{uid}"} if uid else {}

    def service(self, unit: Unit, argv: Sequence[str], output: str) -> list[str]:
        """
        Return the command that makes the manager run `argv` and append its output to the file `output`.

        Run it with `environment`. It does not wait for the program.
        """
        properties = {
            "Type": "exec",
            "KillMode": "process",
            "OOMPolicy": "continue",
            **({"ExitType": "cgroup"} if self.version >= _EXIT_TYPE_SINCE else {}),
            "StandardOutput": f"append:{output}",
            "StandardError": f"append:{output}",
            **unit.properties,
        }
        escaped = [word.replace("$", "$$") for word in argv]  # the manager would expand variables
        return [*self._run(unit, properties), "--no-block", "--", *escaped]

    def scope(self, unit: Unit, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` as our child, with all that a child inherits, but in the unit."""
        return [*self._run(unit, unit.properties), "--scope", "--", *argv]

    def _run(self, unit: Unit, properties: Mapping[str, str]) -> list[str]:
        return [
            "systemd-run",
            *([] if self.uid == 0 else ["--user"]),
            "--quiet",
            "--collect",
            f"--unit={unit.name}",
            f"--description={unit.description}",
            *(f"--property={name}={value}" for name, value in properties.items()),
        ]


def manager(root: str = "") -> Manager | None:
    """
    Return the manager whose units outlive us; None if there is none.

    A user's manager ends with the last logout unless the user lingers. Tests set `root`, the folder of /run and /var.
    """
    uid = os.geteuid()
    if not runs(root) or not (version := _version()):
        return None
    if uid and not (lingers(uid, root) and os.path.exists(f"{root}/run/user/{uid}/systemd/private")):
        return None
    return Manager(uid, version)


def runs(root: str = "") -> bool:
    """Return whether systemd runs this machine (sd_booted(3))."""
    return os.path.isdir(f"{root}/run/systemd/system")


def lingers(uid: int, root: str = "") -> bool:
    """Return whether the user's manager runs from boot to shutdown, and not only during logins."""
    try:
        return os.path.exists(f"{root}{_LINGER}/{pwd.getpwuid(uid).pw_name}")
    except KeyError:
        return False


def start(unit: Unit, argv: Sequence[str], output: str, commands: Commands) -> bool:
    """Run a program in its own unit; return False if there is no manager or it refuses."""
    ours = manager()
    if ours is None:
        return False
    environment = {"PATH": os.environ.get("PATH", os.defpath)} | ours.environment
    return commands.run(ours.service(unit, argv, output), env=environment).status == 0


def in_scope(unit: Unit, argv: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str]]:
    """
    Return the command that runs `argv` in its own unit, and the environment that this command needs.

    Without a manager whose units outlive us, return `argv` itself and no environment.
    """
    ours = manager()
    return (ours.scope(unit, argv), ours.environment) if ours else (argv, {})


def await_unit(asking: Spawned, clock: Clock) -> None:
    """Wait until a command of `in_scope` runs in its unit, or has ended: before that, it may end with us."""
    for look, _ in enumerate(clock.poll(_POLL, math.inf)):
        title = process.title(asking.process.pid)  # there is none during exec(2)
        is_before = title.startswith("systemd-run ") if title else look < _EXEC
        if asking.status() is not None or not is_before:
            return


def unit_name(project: str, what: str) -> str:
    """Return the name of a unit; neither part contains a dot, so different pairs have different names."""
    return "zdd-" + ".".join(re.sub("[^a-zA-Z0-9_-]", "_", part) for part in (project, what))


def fate(commands: Commands) -> str | None:
    """
    Return what will end processes that we start without a unit, to complete "they end ..."; None if nothing will.

    Processes of root, and of users who linger, are in units and safe.
    """
    group = _own_group()
    if re.search(r"/user@\d+\.service(/|$)", group):
        return "when you have logged out everywhere"
    last = group.rpartition("/")[2]
    if last.endswith(".scope") and last.startswith("session-"):
        killed = _asked(["loginctl", "show-session", "--property=KillUserProcesses", "--value"], commands) == "yes"
        return "when you log out (KillUserProcesses=yes)" if killed else None
    if last.endswith(".service"):
        mode = _asked(["systemctl", "show", "--property=KillMode", "--value", last], commands)
        return f"when {last} does, which this is run by" if mode in ("control-group", "mixed") else None
    return None


def _own_group() -> str:
    """Return our control group as systemd names it, in either hierarchy."""
    lines = [line.split(":", 2) for line in (files.read("/proc/self/cgroup") or "").splitlines()]
    named = {controllers: path for _, controllers, path in lines}
    return named.get("name=systemd", named.get("", ""))


def _asked(argv: list[str], commands: Commands) -> str:
    try:
        return commands.run(argv).output.strip()
    except OSError:
        return ""


@functools.cache
def _version() -> int:
    """Return systemd's version, 0 if it cannot be asked."""
    version = re.match("systemd ([0-9]{1,6})", _asked(["systemd-run", "--version"], Commands()))
    return int(version[1]) if version else 0
