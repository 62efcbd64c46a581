"""The start of a keeper: its instance's folder and record, and a systemd unit or a process of its own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable

from zdd import keeper
from zdd.conf.services import RunService
from zdd.host import acl, files, systemd
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances import environment, node
from zdd.instances.spec import KEEPER_TIMEOUT
from zdd.keeper.record import Record
from zdd.paths import Paths


def start(record: Record, service: RunService, paths: Paths, log: Callable[[str], None] | None) -> Process | None:
    """Start the keeper, which starts the app unless that must wait; return its process, None if systemd has it."""
    _make_folder(record, paths)
    _install_hook(record, service)
    record.write()
    if log:
        log(f"{shlex.join(record.argv)}  (in {record.cwd})")
    argv = _keeper_of(record)
    if systemd.start(_unit_of(record, service), argv, record.log, Commands()):
        return None
    # Its environment is what CI systems kill by, and would keep a job's secrets.
    return Commands().spawn(argv, env=environment.base(), output=record.log).forget()


def _make_folder(record: Record, paths: Paths) -> None:
    """Make the instance's folder, which only we, nginx's workers and the app's user can pass."""
    files.make_folder(record.folder, 0o700)
    acl.let_pass(record.folder, [*record.access, *([] if record.uid is None else [record.uid])])
    if not os.path.lexists(link := paths.old_socket_folder(record.instance)):
        os.symlink(".", link)


def _install_hook(record: Record, service: RunService) -> None:
    """Give a Node app the hook that turns its first listen into the inherited socket."""
    if record.listen_variables and node.wants_hook(service):
        record.env["NODE_OPTIONS"] = node.install_hook(record.folder, record.env.get("NODE_OPTIONS", ""))


def _keeper_of(record: Record) -> list[str]:
    """Return the command that starts the keeper of this record."""
    program = f"{os.path.dirname(keeper.__file__)}/__main__.py"
    return [sys.executable, "-I", "-S", "-X", "utf8", program, record.file]


def _unit_of(record: Record, service: RunService) -> systemd.Unit:
    """Return the unit that the instance is in where systemd runs."""
    properties = {"TimeoutStopSec": f"{service.stop_timeout + KEEPER_TIMEOUT:g}"}
    if os.geteuid() == 0:  # shutdown reverses this order: nginx stops first and sends no request to a stopped app
        properties |= {"After": "network.target", "Before": "nginx.service"}
    if service.memory_max:
        properties["MemoryMax"] = str(service.memory_max)
    if service.cpu_weight:
        properties["CPUWeight"] = str(service.cpu_weight)
    return systemd.Unit(
        systemd.unit_name(record.project, record.instance), f"{record.instance} of {record.project}", properties
    )
