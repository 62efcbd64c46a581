"""Whether a supervised instance is healthy: by its health request, its health_command or its uptime."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from zdd.conf.schema import RunService
from zdd.host import usage
from zdd.host.clock import Clock
from zdd.host.command import Commands, Identity
from zdd.host.process import ended
from zdd.instances.health import failure, fastcgi, request, verdict
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.health.respawns import Respawns
from zdd.instances.health.verdict import Health
from zdd.keeper import client
from zdd.keeper.record import Record
from zdd.paths import Paths

_POLL = 0.01
_PARTING = 1.0  # seconds that an app gets to end, if a process of it seems to have gone into the background
_COMMAND_PAUSE = 0.2  # between two runs of health_command
_SAID = 3  # times that the log must say why workers end, which may also have done their work
_SHOWN = 200  # characters of what it printed

Check = Callable[[], None]


class Probe:
    """Asks one instance of a service with `run`; made before the app starts, so that it notices the kernel's kills."""

    def __init__(self, name: str, service: RunService, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.name = name
        self.service = service
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.problem = "no answer yet"
        self._ended_workers = 0  # as of the last look into the log
        self._kills_before = usage.kills_anywhere()

    def await_healthy(self, events: Callable[[], Iterable[dict[str, Any]]], interrupt: Check, until: float) -> Health:
        """Return once the instance is healthy; `events` returns its keeper's. Raises InstanceFailed."""
        begun = self.clock.now()
        deadline = min(begun + self.service.start_timeout, until)
        control = self.paths.control_socket(self.name)
        status = client.ask(control, "status", brief=True)

        respawns = Respawns(begun)

        def check() -> None:
            interrupt()
            self._check_alive(events())
            self._check_workers(respawns)

        notice = ""
        if self.service.health_command:
            self._await_command(self.service.health_command, deadline, check)
        elif self.service.is_worker:
            self._note("it counts as healthy after min_uptime")
            for _ in self.clock.poll(_POLL, begun + self.service.min_uptime, check):
                pass
        else:
            notice = self._await_answer(status["address"], begun, deadline, check)
        answer = client.ask(control, "healthy")
        if answer.get("background"):
            for _ in self.clock.poll(_POLL, self.clock.now() + _PARTING, check):
                pass
            answer = client.ask(control, "healthy", sure=True)
        if not answer["ok"]:  # an app that forks into the background may answer once
            check()
            raise self.failed(answer.get("stranger") or "it ended as soon as it had answered")
        return Health(status["port"], notice)

    def ask_once(self) -> str | None:
        """Ask once; return what is wrong, None if nothing is or if there is no way to ask."""
        if self.service.health_command:
            return self._ask_command(self.service.health_command, self.service.health_timeout, lambda: None)
        if self.service.is_worker:
            return None
        return verdict.ask_once(self._port() or self.paths.keep(self.name), self.service, self.clock)

    def failed(self, words: str, hint: str | None = None, ended: int | None = None) -> InstanceFailed:
        """Return what to raise: the words, what the app printed, and whether memory ran out; see failure.failed."""
        if killed := usage.kills_anywhere() - self._kills_before:
            processes = "a process" if killed == 1 else f"{killed} processes"
            limit = f"; its memory_max is {self.service.memory_max >> 20}M" if self.service.memory_max else ""
            ran_out = f"memory ran out: the kernel has killed {processes} of this machine meanwhile (`dmesg`){limit}"
            hint = f"{hint}\n  {ran_out}" if hint else ran_out
        way = self.service.socket
        return failure.failed(self.service.name, words, self.paths.log(self.name), hint, ended, way)

    def _await_answer(self, address: str | int, begun: float, deadline: float, check: Check) -> str:
        last = verdict.await_healthy(address, self.service, deadline, self.clock, check, self._note)
        if not last.healthy:
            app, folder = client.pids(self.paths.pids(self.name)).app, self.paths.instance(self.name)
            port = address if isinstance(address, int) else None
            hint = failure.elsewhere(app.pid, self.service.socket, folder, port, last.taken) if app else None
            if not hint and last.hint == request.EXPECTS_TLS and fastcgi.is_spoken(address):
                hint = fastcgi.HINT
            words = f"not healthy after {deadline - begun:.3g} s: {self.problem}"
            failed = self.failed(words)
            cure = failure.advice(failed.why or "", self.service.socket)  # an app whose launcher starts it anew goes on
            general = None if failed.why and last.hint == verdict.HAS_A_LOG else last.hint
            failed.hint = failure.join(cure or hint or general, failed.hint)
            raise failed
        return last.words

    def _await_command(self, command: str, deadline: float, check: Check) -> None:
        last, whole = "", self.service.health_timeout
        for _ in self.clock.poll(_COMMAND_PAUSE, deadline, check):
            seconds = min(whole, max(_COMMAND_PAUSE, deadline - self.clock.now()))
            problem = self._ask_command(command, seconds, check)
            if problem is None:
                return
            last = problem if seconds == whole or not last else last
            self._note(last)
        check()
        raise self.failed(f"not healthy after {self.service.start_timeout:g} s: {last}")

    def _ask_command(self, command: str, seconds: float, interrupt: Check) -> str | None:
        """
        Run health_command as the app is run: its user, its folder, its environment; return what is wrong.

        PORT or ZDD_SOCKET says where the app listens. The command is killed after `seconds`.
        """
        record, port = Record.find(self.paths.record(self.name)), self._port()
        if record is None:
            return f"nothing is known of {self.name} any more"
        where = {"ZDD_SOCKET": record.keep or record.socket} if port is None else {"PORT": str(port)}
        env = {name: value.replace("{port}", str(port)) for name, value in record.env.items()} | where
        who = Identity(record.uid, record.gid, record.groups)
        try:
            result = self.commands.run(["/bin/sh", "-ec", command], record.cwd, env, seconds, who, interrupt)
        except OSError as error:
            return f"health_command cannot be run: {error.strerror or os.strerror(error.errno or 0)}"
        if result.status == 0:
            return None
        printed = " ".join(result.output.split())[-_SHOWN:]
        how = f"health_command ended with {ended(result.status)}"
        return f"{how}: {printed}" if printed else f"{how} and printed nothing"

    def _port(self) -> int | None:
        return client.pids(self.paths.pids(self.name)).port

    def _note(self, problem: str) -> None:
        """Keep the problem; a socket that the app binds is named by the app's own path, not by its keeper's."""
        if self.service.socket == "unix":
            problem = problem.replace(self.paths.keep(self.name), self.paths.app_socket(self.name))
        self.problem = problem

    def _check_alive(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            if event["event"] == "exit":
                raise self._ended(event)
            if event["event"] == "gone":
                raise self.failed("it was stopped by somebody else while it started")

    def _check_workers(self, respawns: Respawns) -> None:
        """Raise InstanceFailed if its workers end again and again, and the log says as often why."""
        now = self.clock.now()
        number = respawns.look(lambda: client.pids(self.paths.pids(self.name)).app, now)
        if number > self._ended_workers:
            self._ended_workers = number
            seconds = now - respawns.begun
            failed = self.failed(
                f"{number} of its worker processes have ended within {seconds:.0f} s, and none answers"
            )
            if failed.times >= _SAID:
                raise failed

    def _ended(self, event: dict[str, Any]) -> InstanceFailed:
        """Return what to raise for an app that ended, or could not be started; a keeper of zdd 0.1 knows no stages."""
        how, stage, record = event["words"], event.get("stage"), Record.find(self.paths.record(self.name))
        if stage and record:
            if stage == "interpreter" and record.env.get("ZDD_RELEASE"):
                hint: str | None = failure.REBUILD
            else:
                path = record.env.get("PATH", os.defpath)
                hint = failure.why_never_ran(stage, event["errno"], record.argv[0], path, self.service.user)
            return InstanceFailed(f"{self.service.name}: {how}", [], None, hint=hint)
        return self.failed(f"`{self.service.run}` ended with {how} before it was healthy", ended=event["status"])
