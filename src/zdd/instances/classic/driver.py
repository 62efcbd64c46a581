"""
Classic services: started by their own command, known by a pid file and the port file PID.port beside it.

The contract is zdd's oldest and does not change: zdd moves the old pid file away and runs `start`. The new instance is
up when the pid file names a living process, and the port in its PID.port accepts connections.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence

from zdd.conf.services import ClassicService
from zdd.host import files, own_process, process, sock_diag, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands, Spawned, cannot_run
from zdd.host.guarded import Untrusted
from zdd.host.process import Process, ended
from zdd.instances import environment
from zdd.instances.classic import after_workers, last_resort, members, record
from zdd.instances.classic.evidence import Evidence
from zdd.instances.classic.members import Members
from zdd.instances.classic.pid_files import PidFiles
from zdd.instances.classic.record import ClassicRecord
from zdd.instances.driver import Driver, Launch
from zdd.instances.health import attempts, failure, request
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.health.verdict import Health, Verdict
from zdd.instances.state import InstanceState, classic
from zdd.paths import Paths

_POLL = 0.02  # seconds; a look for the processes of a start may read all of /proc
_CONNECT = 1.0  # seconds; on this machine a connect only takes time while the queue is full
_LOOKS = 25  # a start without any process is dead after half a second; looks miss one for 40 ms on end, see Members


class ClassicInstance(Driver):
    """One instance of a classic service, new or of an earlier deploy."""

    def __init__(self, name: str, service: ClassicService, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.name = name
        self.service: ClassicService = service
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.pid_files = PidFiles(str(service.pid_file))
        self.members = Members(f"{paths.runtime}:{name}")
        self.log = paths.log(name)
        self.started: Spawned | None = None
        self._problem = "no answer yet"
        self._missed = 0
        self._since = 0

    def launch(self, launch: Launch) -> None:
        """Move the old instance's pid file away and run the start command, in its own session."""
        self._write(ClassicRecord(self.service, self.pid_files.texts()))
        try:
            self.pid_files.move_away()
        except Untrusted as error:
            raise self._distrusts(error) from error
        argv = split(self.service.start)
        self._since = process.now()
        try:
            self.started = self._spawn(self.commands, argv, self.name, self.members.environment)
        except OSError as error:
            raise self._failed(cannot_run(argv[0], error)) from error

    def await_healthy(self, interrupt: Callable[[], None], until: float = math.inf) -> Health:
        """Return once the instance listens and answers. Raises InstanceFailed if it ends first, or at the deadline."""
        deadline = min(self.clock.now() + self.service.start_timeout, until)
        try:
            evidence = self._await_port(deadline, interrupt)
            self._write(ClassicRecord(self.service, self.record().files_before, evidence.identity, evidence.port))
            self.pid_files.remember(evidence.main.pid)
        except Untrusted as error:
            raise self._distrusts(error) from error
        notice = self._await_answer(evidence, deadline, interrupt) if self.service.health_path else ""
        return Health(evidence.port, notice)

    def problem(self) -> str:
        """Return why the instance is not healthy yet, as of the last attempt."""
        return self._problem

    def state(self) -> InstanceState:
        """Return the instance's state now."""
        return classic(self.paths, self.name)

    def retire(self, warm: float, workers: Sequence[Process]) -> None:
        """
        Run the stop command once these nginx workers ended, or after drain_timeout; return at once.

        If the stop command has run before, end what it left alive, so that at most one such leftover exists.
        """
        if self.state().state == "serving":
            self._run_stop(workers, self.service.drain_timeout)
        elif not (known := self.record()).stopping():
            self._end(known)

    def _run_stop(self, workers: Sequence[Process], seconds: float) -> None:
        """Run the stop command once these nginx workers ended, after `seconds` at the latest; return at once."""
        known = self.record()
        main = known.main()
        if main is None or known.stop:
            return
        argv = [*split(self.service.stop), str(main.pid)]
        if self.commands.log:
            self.commands.log(f"{shlex.join(argv)}  (in {self.service.cwd}, when nginx's old workers have ended)")
        waiter = after_workers.command(seconds, workers, main if self.pid_files.shared() else None, argv)
        spawned = self._spawn(Commands(), waiter, f"{self.name}-stop", {})
        spawned.forget()
        known.stop = (spawned.process.pid, spawned.process.start_time)
        self._write(known)

    def discard(self, workers: Sequence[Process] | None) -> None:
        """Undo the start: wait for these nginx workers, end the instance, and restore the pid files."""
        for worker in workers or ():
            worker.wait(self.service.drain_timeout)
        known = self.record()
        self._end(known)
        self.pid_files.restore(known.files_before)

    def await_gone(self, until: float) -> None:
        """
        Run the stop command, and end the instance.

        An instance with open connections gets drain_timeout. One without, after its stop command has ended (gunicorn's
        master after WINCH), is ended at once.
        """
        self._run_stop([], 0)
        known = self.record()
        stopping = known.stopping()
        if main := known.main():
            for _ in self.clock.paced(_POLL, self.clock.now() + self.service.drain_timeout):
                is_used = known.stopping() or (known.port and sock_diag.connections_to_port(known.port))
                if not (is_used and main.alive()):
                    break
        self._end(known)
        if stopping:  # it might wake up and stop another process that has got the instance's number
            process.end(members.tree(stopping), signal.SIGKILL, 0, self.clock.now)

    def record(self) -> ClassicRecord:
        """Return the instance's record."""
        return record.read(self.paths.classic_record(self.name)) or ClassicRecord(self.service, {})

    def adopt(self) -> None:
        """
        Write the record of a serving instance that an earlier zdd started without a record, if there is one.

        A pid file may be stale. It is believed only of a process that listens on the port in its PID.port.
        """
        for path in (self.pid_files.own, self.pid_files.current):
            with contextlib.suppress(Untrusted):
                evidence = Evidence.read(self.pid_files, path)
                if isinstance(evidence, Evidence) and evidence.is_adopted():
                    self._write(ClassicRecord(self.service, {}, evidence.identity, evidence.port))
                    return

    def _spawn(self, commands: Commands, argv: Sequence[str], what: str, own: Mapping[str, str]) -> Spawned:
        """
        Start one of the service's commands, with the umask that zdd was called with.

        Where systemd runs, the command gets a unit of its own: otherwise a logout would end what it left running.
        """
        project = self.paths.config.project
        unit = systemd.Unit(systemd.unit_name(project, what), f"{what} of {project}", {})
        scoped, more = systemd.in_scope(unit, argv)
        env = {**environment.inherited(), **more, **own}
        spawned = commands.spawn(scoped, str(self.service.cwd), env, self.log, umask=own_process.callers_umask())
        if scoped != argv:
            systemd.await_unit(spawned, self.clock)
        return spawned

    def _await_port(self, deadline: float, interrupt: Callable[[], None]) -> Evidence:
        missing = ""
        for _ in self.clock.poll(_POLL, deadline, interrupt):
            evidence = self._look()
            if isinstance(evidence, Evidence):
                return evidence
            missing = evidence
            self._check_alive()
        raise self._failed(f"not ready after {self.service.start_timeout:g} s: {missing}")

    def _look(self) -> Evidence | str:
        """Return the instance's process and port once it listens, else what is missing. Raises Untrusted."""
        evidence = Evidence.read(self.pid_files, self.pid_files.own)
        if isinstance(evidence, str):
            return evidence
        pid, port = evidence.main.pid, evidence.port
        port_file = self.pid_files.port_file(pid)
        if evidence.shared and (doubt := evidence.doubt(self.members.of_this_start(), self._since)):
            words = f"{self.pid_files.own} names process {pid} and {port_file} port {port}, but {doubt}"
            return f"{words}; another user can write these files, so root takes nobody's word for it"
        try:
            request.connect(port, _CONNECT).close()
        except OSError as error:
            return f"nobody answers on 127.0.0.1:{port}, the port in {port_file} ({error.strerror or error})"
        return evidence

    def _check_alive(self, main: Process | None = None) -> None:
        """Raise InstanceFailed if the start command failed, or ended and left no process that can become ready."""
        status = self.started.status() if self.started else None
        if status:
            raise self._failed(f"`{self.service.start}` ended with {ended(status)} before it was ready")
        if main is None and (pid := self.pid_files.number(self.pid_files.own)):
            main = Process.find(pid)
        lives = status is None or (main.alive() if main else self.members.pids())
        self._missed = 0 if lives else self._missed + 1
        if self._missed == _LOOKS:
            raise self._failed(f"`{self.service.start}` ended and left no process running")

    def _await_answer(self, evidence: Evidence, deadline: float, interrupt: Callable[[], None]) -> str:
        def check() -> None:
            interrupt()
            self._check_alive(evidence.main)

        def note(last: Verdict) -> None:
            self._problem = last.words

        last = attempts.await_healthy(evidence.port, self.service, deadline, self.clock, check, note)
        if not last.healthy:
            raise self._failed(f"not healthy after {self.service.start_timeout:g} s: {last.words}")
        return last.words

    def _end(self, known: ClassicRecord) -> None:
        killed = self.members.end(known.main(), self.service.stop_timeout, self.clock)
        if known.process:
            last_resort.note(self.paths.kills, self.name, known, killed, self.service.stop_timeout)
            self.pid_files.remove(known.process[0])
        files.remove(self.paths.classic_record(self.name))

    def _failed(self, words: str) -> InstanceFailed:
        return failure.failed(self.service.name, words, self.log)

    def _distrusts(self, error: Untrusted) -> InstanceFailed:
        hint = f"have {self.pid_files.folder} and all folders above it written by root alone, or remove what is there"
        return failure.failed(self.service.name, str(error), self.log, hint)

    def _write(self, known: ClassicRecord) -> None:
        record.write(self.paths.classic_record(self.name), known)


def split(command: str) -> list[str]:
    """Split a classic command as a shell would; at its spaces, as older versions did, if it cannot be split so."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split(" ")
