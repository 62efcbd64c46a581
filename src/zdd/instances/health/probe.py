"""Whether a supervised instance is healthy: by its health request, its health_command or its uptime."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from zdd.conf.services import RunService
from zdd.host import interpreter, usage
from zdd.host.clock import Clock
from zdd.host.command import Commands, Identity
from zdd.host.process import ended
from zdd.instances.health import attempts, failure, fastcgi, request, verdict
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.health.lost_socket import LostSocket
from zdd.instances.health.respawns import Respawns
from zdd.instances.health.verdict import Health, Verdict
from zdd.keeper import client
from zdd.keeper.record import Record
from zdd.paths import Paths

_POLL = 0.01  # seconds between looks at whether it still runs
# Seconds that an app gets to end, if a process of it seems to have gone into the background. On two cores with a load
# average of 20, `gunicorn -D` has ended before its daemon has a session of its own, and a shell 0.1 s after `setsid`.
_PARTING = 1.0
_FIRST_PAUSE, _COMMAND_PAUSE = 0.02, 0.2  # between two runs of health_command; each is twice as long as the last
_NEVER_RAN = (126, 127)  # how a shell ends that cannot run a program
_IS_THERE = 'found=$(command -v -- "$1") || exit 1; case $found in */*) test -x "$found"; esac'
_STRANGERS = 1.0  # seconds between searches for another program on the app's port
_SAID = 3  # times that the log must say why workers end, which may also have done their work
_SHOWN = 200  # characters of what it printed

Check = Callable[[], None]


class Attempt(Struct, frozen=True):
    """A health_command that failed: its exit status, None if it was not run, and what is wrong, in words."""

    status: int | None
    words: str


class Probe:
    """Asks one instance of a service with `run`; made before the app starts, so that it notices the kernel's kills."""

    def __init__(self, name: str, service: RunService, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.name, self.service, self.paths = name, service, paths
        self.commands, self.clock = commands, clock
        self.problem = "no answer yet"
        self._hint: str | None = None
        self._ended_workers = 0  # as of the last look into the log
        self._searched = -_STRANGERS  # when another program was last searched for on the port
        self._kills_before = usage.kills_anywhere()

    def await_healthy(self, lease: client.Lease | None, interrupt: Check, until: float) -> Health:
        """Return once the instance is healthy; its keeper's events come by the lease. Raises InstanceFailed."""
        try:
            return self._await_healthy(lease, interrupt, until)
        except client.Gone as gone:
            raise self.failed(client.KILLED) from gone

    def _await_healthy(self, lease: client.Lease | None, interrupt: Check, until: float) -> Health:
        begun = self.clock.now()
        deadline = min(begun + self.service.start_timeout, until)
        control = self.paths.control_socket(self.name)
        status = client.ask(control, "status", brief=True)
        respawns, lost = Respawns(begun), LostSocket(self.paths.instance(self.name), begun)

        def check() -> None:
            interrupt()
            self._check_alive(lease)
            self._check_workers(respawns)
            self._check_socket(lost)

        notice = ""
        if self.service.health_command:
            self._await_command(self.service.health_command, deadline, check)
        elif self.service.is_worker:
            self.problem = "it counts as healthy after min_uptime"
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
            self._refuse(answer.get("stranger"), failure.END_IT)
            raise self.failed("it ended as soon as it had answered")
        return Health(status["port"], notice)

    def ask_once(self, interrupt: Check) -> str | None:
        """Ask once; return what is wrong, None if nothing is or if there is no way to ask. `interrupt` may raise."""
        if self.service.health_command:
            failed = self._ask_command(self.service.health_command, self.service.health_timeout, interrupt)
            return failed.words if failed else None
        if self.service.is_worker:
            return None
        return attempts.ask_once(self._port() or self.paths.keep(self.name), self.service, self.clock, interrupt)

    def why_not_yet(self) -> str:
        """Return why it is not healthy, as of the last attempt, with what is already sure to be needed."""
        hint = self._elsewhere(taken=False)
        if hint is None or "the app listens on" not in hint:  # one that only starts slowly listens nowhere yet
            hint = None if self._hint == verdict.HAS_A_LOG else self._hint
        return f"{self.problem}; {hint}" if hint else self.problem

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
        last = attempts.await_healthy(address, self.service, deadline, self.clock, check, self._note)
        if not last.healthy:
            hint = self._elsewhere(last.taken)
            if not hint and last.hint == request.EXPECTS_TLS and fastcgi.is_spoken(address):
                hint = fastcgi.HINT
            words = f"not healthy after {deadline - begun:.3g} s: {self.problem}"
            failed = self.failed(words)
            cure = failure.advice(failed.why or "", self.service.socket)  # an app that its launcher restarts goes on
            general = None if failed.why and last.hint == verdict.HAS_A_LOG else last.hint
            failed.hint = failure.join(cure or hint or general, failed.hint)
            raise failed
        return last.words

    def _await_command(self, command: str, deadline: float, check: Check) -> None:
        last, whole, pause = "", self.service.health_timeout, _FIRST_PAUSE
        for _ in self.clock.poll(lambda: pause, deadline, check):  # noqa: B023  (the pause as it is then)
            if last and self.clock.now() >= deadline:  # it would only be killed
                break
            seconds = min(whole, max(_COMMAND_PAUSE, deadline - self.clock.now()))
            failed = self._ask_command(command, seconds, check)
            if failed is None:
                return
            self._require_program(command, failed)
            last = failed.words if seconds == whole or not last else last
            self.problem, pause = last, min(2 * pause, _COMMAND_PAUSE)
        check()
        raise self.failed(f"not healthy after {self.service.start_timeout:g} s: {last}")

    def _ask_command(self, command: str, seconds: float, interrupt: Check) -> Attempt | None:
        """
        Run health_command as the app is run: its user, its folder, its environment; return what is wrong.

        PORT or ZDD_SOCKET says where the app listens. The command is killed after `seconds`.
        """
        record, port = Record.find(self.paths.record(self.name)), self._port()
        if record is None:
            return Attempt(None, f"nothing is known of {self.name} any more")
        where = {"ZDD_SOCKET": record.keep or record.socket} if port is None else {"PORT": str(port)}
        env = {name: value.replace("{port}", str(port)) for name, value in record.env.items()} | where
        who = Identity(record.uid, record.gid, record.groups)
        try:
            result = self.commands.run(["/bin/sh", "-ec", command], record.cwd, env, seconds, who, interrupt)
        except OSError as error:
            return Attempt(None, f"health_command cannot be run: {error.strerror or os.strerror(error.errno or 0)}")
        if result.status == 0:
            return None
        printed = " ".join(result.output.split())[-_SHOWN:]
        how = f": {printed}" if printed else " and printed nothing"
        return Attempt(result.status, f"health_command ended with {ended(result.status)}{how}")

    def _require_program(self, command: str, failed: Attempt) -> None:
        """Raise InstanceFailed if the shell cannot run the program that the command begins with."""
        word = next((word for word in command.split() if "=" not in word), "")
        record = Record.find(self.paths.record(self.name)) if failed.status in _NEVER_RAN else None
        if record is None:
            return
        who = Identity(record.uid, record.gid, record.groups)
        found = self.commands.run(["/bin/sh", "-c", _IS_THERE, "sh", word], record.cwd, record.env, who=who)
        lacks = interpreter.missing(os.path.join(record.cwd, word)) if "/" in word else None
        if found.status != 0 or lacks:
            needs = f"{word}: {lacks}" if lacks else f"{word} must be there and executable (chmod +x)"
            raise self.failed(failed.words, hint=f"{needs}; it is run in {record.cwd}")

    def _port(self) -> int | None:
        return client.pids(self.paths.pids(self.name)).port

    def _note(self, last: Verdict) -> None:
        """Keep the problem; a socket that the app binds is named by the app's own path, not by its keeper's."""
        self.problem, self._hint = last.words, last.hint if last.taken else None
        if self.service.socket == "unix":
            from zdd.instances.health import app_socket  # here, because few apps make their own socket

            self._refuse(app_socket.of_another_user(self.paths, self.name), app_socket.ITS_USER)
            words = last.words.replace(self.paths.keep(self.name), self.paths.app_socket(self.name))
            self.problem = app_socket.no_socket(self.paths, self.name) or words
        elif self.service.socket == "tcp" and last.taken and self.clock.now() - self._searched >= _STRANGERS:
            self._searched = self.clock.now()
            self._refuse(client.ask(self.paths.control_socket(self.name), "status").get("stranger"), failure.END_IT)

    def _refuse(self, words: str | None, hint: str) -> None:
        if words:
            raise self.failed(words, hint=hint)

    def _elsewhere(self, taken: bool) -> str | None:
        """Say where the app listens, None if that is where it should; `taken` as for failure.elsewhere."""
        if self.service.is_worker or (app := client.pids(self.paths.pids(self.name)).app) is None:
            return None
        return failure.elsewhere(app.pid, self.service.socket, self.paths.instance(self.name), self._port(), taken)

    def _check_alive(self, lease: client.Lease | None) -> None:
        for event in lease.events() if lease else ():
            if event["event"] == "exit":
                raise self._ended(event)
            if event["event"] == "gone":
                raise self.failed("it was stopped by somebody else while it started")
        if lease and lease.ended:
            raise self.failed(client.KILLED)

    def _check_socket(self, lost: LostSocket) -> None:
        """Raise InstanceFailed for an app that can never answer, as none of its processes has the socket any more."""
        known = client.pids(self.paths.pids(self.name))
        if self.service.socket == "fd" and lost.look(known.keeper, known.app, self.clock.now()):
            raise self.failed("it can never answer: it has closed the socket that it was given", self._elsewhere(False))

    def _check_workers(self, respawns: Respawns) -> None:
        """Raise InstanceFailed if its workers end again and again, and the log says as often why."""
        now = self.clock.now()
        number = respawns.look(lambda: client.pids(self.paths.pids(self.name)).app, now)
        if number > self._ended_workers:
            self._ended_workers = number
            within = f"{now - respawns.begun:.0f} s"
            failed = self.failed(f"{number} of its worker processes have ended within {within}, and none answers")
            if failed.times >= _SAID:
                raise failed

    def _ended(self, event: dict[str, Any]) -> InstanceFailed:
        """Return what to raise for an app that ended, or could not be started; a keeper of zdd 0.1 knows no stages."""
        how, stage, record = event["words"], event.get("stage"), Record.find(self.paths.record(self.name))
        if stage and record:
            if stage == "interpreter" and record.env.get("ZDD_RELEASE"):
                hint = failure.rebuild(how)
            else:
                path = record.env.get("PATH", os.defpath)
                hint = failure.why_never_ran(stage, event["errno"], record.argv[0], record.cwd, path, self.service.user)
            return InstanceFailed(f"{self.service.name}: {how}", [], None, hint=hint)
        return self.failed(f"`{self.service.run}` ended with {how} before it was healthy", ended=event["status"])
