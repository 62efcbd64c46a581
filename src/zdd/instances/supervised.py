"""An instance that a keeper runs: any app with `run`, on the keeper's socket, its own, a port, or none."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from zdd import keeper
from zdd.conf.schema import RunService
from zdd.host import acl, files, systemd, usage
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances import environment, node, user
from zdd.instances.health import command as health_command
from zdd.instances.health import verdict, where
from zdd.instances.health.failure import InstanceFailed, last_words, why_ended, why_never_ran
from zdd.instances.health.verdict import Asked, Health, NotHealthy
from zdd.instances.kept import KEEPER_TIMEOUT, Kept
from zdd.keeper import client
from zdd.paths import Paths

_POLL = 0.01
_COMMAND_PAUSE = 0.2  # between two runs of health_command
_LISTEN_FD = 3
_POLITE = 0.25  # of start_timeout: so long a start gives way to what serves already; then it needs what is left


class ProxySide(NamedTuple):
    """What an instance must know of nginx: the users its workers run as, who must get in, and its pid file."""

    users: list[int]
    pid_file: str


class AppInstance:
    """One instance of a service with `run`; its keeper does the work and answers for it."""

    def __init__(self, name: str, service: RunService, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.name = name
        self.service = service
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.log = paths.log(name)
        self.kept = Kept(name, paths, clock)
        self.lease: client.Lease | None = None
        self.memory_kills = usage.kills_anywhere()  # so far
        self.met = "no answer yet"  # the last that was no good, while it is waited for

    def launch(
        self, deploy: int, cwd: str, nginx: ProxySide, own: Mapping[str, str], after: Sequence[str] | None = None
    ) -> None:
        """
        Start the keeper, which starts the app.

        `own` are the ZDD_* variables and what they name. With `after`, the instances that must rest before, the app is
        held until it is told to start. Raises UsageError for a user that does not exist.
        """
        record = self._record(deploy, cwd, own) | {"access": nginx.users, "nginx_pid_file": nginx.pid_file}
        if after is not None:
            record |= {"held": True, "predecessors": [self._predecessor(name) for name in after]}
        self._make_folder([*nginx.users, *([] if record["uid"] is None else [record["uid"]])])
        if record["listen_variables"] and node.wants_hook(self.service):
            record["env"]["NODE_OPTIONS"] = node.install_hook(record["folder"], record["env"].get("NODE_OPTIONS", ""))
        files.write(self.kept.record_path, json.dumps(record), mode=0o600)
        if self.commands.log:
            self.commands.log(f"{shlex.join(record['argv'])}  (in {record['cwd']})")
        argv = [sys.executable, "-I", "-S", f"{os.path.dirname(keeper.__file__)}/__main__.py", self.kept.record_path]
        if not systemd.start(self._unit(), argv, self.log, Commands()):
            # Its environment is what CI systems kill by, and would keep a job's secrets.
            Commands().spawn(argv, env=environment.base(), output=self.log).forget()

    def await_healthy(self, interrupt: Callable[[], None], until: float = math.inf) -> Health:
        """
        Return when its health_command succeeds, or else when it answers its health request (a worker: when it has lived
        for min_uptime).

        Raises InstanceFailed when the app ended before, or after start_timeout, or at the moment `until`.
        """
        begun = self.clock.now()
        deadline = min(begun + self.service.start_timeout, until)
        status = client.ask(self.kept.control, "status", brief=True)
        port, address = status["port"], status["address"]

        def check() -> None:
            interrupt()
            self._check_alive()

        notice = None
        if self.service.health_command:
            self._await_command(self.service.health_command, deadline, check)
        elif self.service.socket == "none":
            self._meet("it counts as healthy after min_uptime")
            self._await_uptime(begun, check)
        else:
            notice = self._await_answer(address, begun, deadline, check)
        answer = client.ask(self.kept.control, "healthy")
        if not answer["ok"]:  # what forks away may answer once
            check()
            raise self._failed(answer.get("stranger") or "it ended as soon as it had answered")
        return Health(self.clock.now() - begun, port, notice)

    def ask_once(self) -> str | None:
        """Ask it once whether it is well; returns what is wrong, None when nothing is or there is no way to ask."""
        if self.service.health_command:
            return self._ask_command(self.service.health_command, self.service.health_timeout, lambda: None)
        if self.service.socket == "none":
            return None
        address = client.pids(self.paths.control, self.name).port or self.paths.keep(self.name)
        return verdict.ask_once(address, self.service, self.clock)

    def attach(self, interrupt: Callable[[], None]) -> None:
        """
        Take a lease at the keeper: from now on it ends with us, unless the instance has been switched to.

        To be done soon after `launch`: a keeper that nobody attaches to within 10 s ends by itself.
        """
        deadline = self.clock.now() + KEEPER_TIMEOUT
        while self.lease is None:
            interrupt()
            try:
                self.lease = client.Lease(self.kept.control)
                return
            except client.Gone as error:
                if self.clock.now() >= deadline:
                    raise self._failed(f"nobody answers for it on {self.kept.control}") from error
            self.clock.sleep(_POLL)

    def forget_past(self) -> None:
        """Take no notice of how the app has ended so far: it is about to be started again."""
        if self.lease:
            self.lease.events()

    def _await_answer(self, address: str | int, begun: float, deadline: float, check: Callable[[], None]) -> str | None:
        service = self.service
        try:
            held = service.socket == "fd"
            return verdict.await_answer(address, service, deadline, self.clock, check, self._meet, held)
        except NotHealthy as error:
            app, folder = self.kept.app(), self.paths.instance(self.name)
            port = address if isinstance(address, int) else None
            hint = where.elsewhere(app.pid, service.socket, folder, port, error.last.taken) if app else None
            words = f"not healthy after {deadline - begun:.3g} s: {self._as_told(str(error))}"
            raise self._failed(words, hint=hint or error.last.hint) from error

    def _meet(self, words: str) -> None:
        self.met = self._as_told(words)

    def _as_told(self, words: str) -> str:
        """Name a socket that the app binds as the app was told it, and not as its keeper does."""
        if self.service.socket != "unix":
            return words
        return words.replace(self.paths.keep(self.name), self.paths.app_socket(self.name))

    def _await_uptime(self, begun: float, check: Callable[[], None]) -> None:
        while self.clock.now() - begun < self.service.min_uptime:
            check()
            self.clock.sleep(_POLL)

    def _await_command(self, command: str, deadline: float, check: Callable[[], None]) -> None:
        last, whole = "", self.service.health_timeout
        while True:
            seconds = min(whole, max(_COMMAND_PAUSE, deadline - self.clock.now()))
            words = self._ask_command(command, seconds, check)
            if words is None:
                return
            last = words if seconds == whole or not last else last
            self._meet(last)
            check()
            if self.clock.now() >= deadline:
                raise self._failed(f"not healthy after {self.service.start_timeout:g} s: {last}")
            self.clock.sleep(_COMMAND_PAUSE)

    def _ask_command(self, command: str, seconds: float, interrupt: Callable[[], None]) -> str | None:
        port = client.pids(self.paths.control, self.name).port
        return health_command.ask(command, self.kept.record(), port, self.commands, seconds, interrupt)

    def _check_alive(self) -> None:
        for event in self.lease.events() if self.lease else ():
            if event["event"] == "exit":
                raise self._ended(event["words"], event["status"])
            if event["event"] == "gone":
                raise self._failed("it was stopped by somebody else while it started")

    def _ended(self, how: str, status: int) -> InstanceFailed:
        """Return what to raise for an app that ended: `how` is "exit status 1", or why it could not be started."""
        if how.startswith("cannot "):
            record = self.kept.record()
            path = record["env"].get("PATH", os.defpath)
            hint = why_never_ran(how, record["argv"][0], path, self.service.user)
            return InstanceFailed(f"{self.service.name}: {how}", [], None, hint=hint)
        return self._failed(f"`{self.service.run}` ended with {how} before it was healthy", why_ended(status))

    def _record(self, deploy: int, cwd: str, own: Mapping[str, str]) -> dict[str, Any]:
        """Return what the keeper is told, as the keeper's record.py describes it."""
        service = self.service
        paths, name = self.paths, self.name
        values = {"socket": paths.app_socket(name), "fd": str(_LISTEN_FD), "instance": name}
        values["release"] = own["ZDD_RELEASE"]
        who = user.of(service)
        env = environment.clean(service, own)
        return {
            "version": keeper.VERSION,
            "project": self.paths.config.project,
            "service": service.name,
            "instance": self.name,
            "release": own["ZDD_RELEASE"] or None,
            "argv": [_fill(word, values) for word in shlex.split(service.run)],
            "env": {name: _fill(value, values) for name, value in env.items()},
            "cwd": str(service.cwd or cwd),
            "socket": service.socket,
            "folder": paths.instance(name),
            "path": paths.socket(name),
            "keep": paths.keep(name),
            "waiting": paths.waiting(name),
            "app_folder": paths.app_folder(name),
            "log": self.log,
            "log_max": self.paths.config.zdd.log_max,
            "uid": who.uid,
            "gid": who.gid,
            "groups": who.groups,
            "start_timeout": service.start_timeout,
            "polite_for": service.start_timeout * _POLITE,
            "stop_signal": signal.Signals[f"SIG{service.stop_signal.removeprefix('SIG')}"].value,
            "stop_timeout": service.stop_timeout,
            "drain_timeout": service.drain_timeout,
            "listen_variables": not _names_descriptor(service),
            "alone": service.instances == 1,
            "stop_first": service.order == "stop-first",
            "hold_max": service.hold_max,
            "current": self.paths.current,
            "table": f"{self.paths.tables}/{deploy}",
            "asked": msgspec.to_builtins(Asked.by(service)),
            "health": {
                "path": service.health_path or "/",
                "host": verdict.host_of(service),
                "timeout": service.health_timeout,
            },
        }

    def _predecessor(self, name: str) -> dict[str, str | None]:
        socket = None if self.paths.is_of_0_1(name) else self.paths.socket(name)
        return {"control": f"{self.paths.control}/{name}.sock", "socket": socket}

    def _unit(self) -> systemd.Unit:
        """Return the unit that the instance is in where systemd runs."""
        service, project = self.service, self.paths.config.project
        properties = {"TimeoutStopSec": f"{service.stop_timeout + KEEPER_TIMEOUT:g}"}
        if os.geteuid() == 0:  # a shutdown goes the other way round: nginx sends nobody here any more when this ends
            properties |= {"After": "network.target", "Before": "nginx.service"}
        if service.memory_max:
            properties["MemoryMax"] = str(service.memory_max)
        if service.cpu_weight:
            properties["CPUWeight"] = str(service.cpu_weight)
        return systemd.Unit(systemd.unit_name(project, self.name), f"{self.name} of {project}", properties)

    def _make_folder(self, users: list[int]) -> None:
        """Make the instance's folder, which only we, nginx's workers and the app's user can pass."""
        folder = self.paths.instance(self.name)
        files.make_folder(folder, 0o700)
        acl.let_pass(folder, users)
        if not os.path.lexists(link := self.paths.old_socket_folder(self.name)):
            os.symlink(".", link)

    def _failed(self, words: str, hint: str | None = None) -> InstanceFailed:
        if killed := usage.kills_anywhere() - self.memory_kills:
            processes = "a process" if killed == 1 else f"{killed} processes"
            limit = f"; its memory_max is {self.service.memory_max >> 20}M" if self.service.memory_max else ""
            ran_out = f"memory ran out: the kernel has killed {processes} of this machine meanwhile (`dmesg`){limit}"
            hint = f"{hint}\n  {ran_out}" if hint else ran_out
        return InstanceFailed(f"{self.service.name}: {words}", last_words(self.log), self.log, hint=hint)


def require(service: RunService) -> None:
    """Raise UsageError where the service's user, group or env_file could not be had."""
    user.of(service)
    environment.clean(service, {})


def _names_descriptor(service: RunService) -> bool:
    """
    Tell whether the app is told of its socket by {fd}; then LISTEN_FDS would tell it twice.

    gunicorn with `-b fd://{fd}` would take both for a socket each, and fail (measured with 27.0.1).
    """
    return any("{fd}" in text for text in (service.run, *service.env.values()))


def _fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
