"""The process of an nginx: test a text, start or reload nginx with it, stop nginx."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from zdd.errors import UsageError
from zdd.host import files, low_ports, process, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.config import listen
from zdd.nginx.config.mark import Seen
from zdd.nginx.process import complaints, running, sharing
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.complaints import ProxyError, unwritable
from zdd.nginx.process.reload import PATIENCE, READS, Reload

_GRACEFUL = 30.0  # seconds for requests of an nginx that only ran for one deploy, now undone
_POLL = 0.02  # seconds between looks at its processes


class NginxProcess:
    """
    The nginx that reads `conf_file` and writes `pid_file`, both absolute. Relative paths in its text start at `prefix`.

    `patience` is how many seconds a start or a reload may take, besides three times what the test of the text took;
    `unit` is the scope of its processes under systemd. `digest` returns the hash in a text, None if it has no mark, and
    `look` asks nginx for the mark of its answers. `interrupt` is called while a text is tested and a reload is waited
    for, and may raise: what was begun is then for `restore`.
    """

    def __init__(
        self,
        binary: Binary,
        conf_file: str,
        pid_file: str,
        prefix: str,
        commands: Commands,
        clock: Clock,
        patience: float = PATIENCE,
        unit: systemd.Unit | None = None,
        digest: Callable[[str], str | None] = lambda text: None,  # noqa: ARG005
        look: Callable[[], Seen | None] = lambda: None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self.binary = binary
        self.conf_file = conf_file
        self.pid_file = pid_file
        self.prefix = prefix
        self.patience = patience
        self.unit = unit
        self._digest = digest
        self._look = look
        self._interrupt = interrupt
        self._tested = 0.0  # how many seconds the last test took
        self._file = ConfFile(conf_file)
        self._commands = commands
        self._clock = clock

    def text(self) -> str | None:
        """Return the text in place, None if there is none."""
        return self._file.text()

    def master(self) -> Process | None:
        """Return the running master, None if there is none."""
        return running.find_master(self.pid_file, self.conf_file)

    def workers(self, shutting_down: bool = False) -> list[Process]:
        """Return the workers that take new requests; or all, also those that only finish their requests."""
        master = self.master()
        return running.workers(master, shutting_down) if master else []

    def orphans(self) -> list[Process]:
        """Return workers that serve on this text's ports and whose master is gone."""
        return running.orphans(listen.ports(self.text() or ""))

    def runs(self, text: str) -> bool:
        """Return whether nginx runs this text already, be it only by workers whose master is gone."""
        return text == self.text() and self._file.is_trusted() and self.serves()

    def serves(self) -> bool:
        """Return whether an nginx answers, be it only by workers whose master is gone."""
        return self.master() is not None or bool(self.orphans())

    def test(self, text: str) -> None:
        """Test the text (`nginx -t`). Raises ProxyError, which quotes nginx."""
        had_pid_file = os.path.lexists(self.pid_file)
        begun = self._clock.now()
        try:
            with low_ports.passed_on(), self._file.staged(_testable(text)) as staged:
                argv = [self.binary.reader, "-t", "-q", "-p", self.prefix, "-c", staged]
                result = self._commands.run(argv, interrupt=self._interrupt)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise unwritable(f"cannot test {self.conf_file}: {error.strerror}{where}", error) from error
        finally:
            if not had_pid_file and files.size(self.pid_file) == 0:
                files.remove(self.pid_file)  # -t creates an empty one, which means nothing
            self._tested = self._clock.now() - begun
        if result.status != 0:
            reason = complaints.in_output(result.output).replace(staged, self.conf_file)
            raise ProxyError(f"nginx refuses the new {self.conf_file}: {reason}", hint=complaints.hint(reason))

    def apply(self, text: str) -> str:
        """
        Make nginx run this text: test it, put it in place, start or reload. Do nothing if nginx runs it already.

        Returns which it was: started, reloaded or unchanged.

        Raises ProxyError if nginx does not take it; then the previous text is in place, and what ran before runs.
        """
        before = self.text()
        if self.runs(text):
            return "unchanged"
        if master := self.master():
            _check_may_signal(master)
        self.test(text)
        master = self.master()  # another hand may have replaced it during a test that took long
        logs = complaints.Logs(master, text, self.prefix) if master else None
        orphans = sharing.orphans(master) if master else self.orphans()
        self._file.try_out(text)
        try:
            self._reload(master, text, logs) if master and logs else self._start(orphans)
        except ProxyError as error:
            self._file.put(before)
            if error.certain:  # else nginx may still take the text, so the next apply must reload
                self._file.trust()
            raise
        self._dismiss(orphans)
        self._file.trust()
        return "reloaded" if master else "started"

    def restore(self, text_before: str | None, stop: bool) -> None:
        """
        Undo an `apply`, or the part of it that was done before a crash. Idempotent.

        `stop`: also stop nginx, because it did not run before.
        """
        if text_before is not None and not stop:
            self.apply(text_before)
            return
        if stop:
            self.stop()
        self._file.put(text_before)
        self._file.trust()

    def quit(self) -> list[Process]:
        """Make nginx accept nothing new; return at once the workers that still finish their requests."""
        master = self.master()
        workers = self.workers(shutting_down=True) if master else self.orphans()
        if master:
            _check_may_signal(master)
        for ending in [master] if master else workers:
            ending.signal(signal.SIGQUIT)
        return workers

    def stop(self, timeout: float = _GRACEFUL) -> None:
        """Stop nginx: gracefully (SIGQUIT) for `timeout` seconds, then SIGTERM, then SIGKILL. On return it is gone."""
        master, deadline = self.master(), self._clock.now() + timeout
        workers = self.quit()
        for ending in [master] if master else workers:
            ending.wait(deadline - self._clock.now())
        process.end([master] if master else [], signal.SIGTERM, running.FAST, self._clock.now)
        process.end(workers, signal.SIGTERM, running.FAST, self._clock.now)  # a killed master leaves them behind

    def _reload(self, master: Process, text: str, logs: complaints.Logs) -> None:
        """Send SIGHUP and wait until nginx has proved that it runs the text, or has refused it."""
        reload, patience = Reload(master, self._clock, self._digest(text), self._look), self._patience()
        master.signal(signal.SIGHUP)
        if reload.wait(patience, lambda: logs.is_final() or not master.alive(), self._interrupt) == "done":
            return
        reason = logs.reason() or f"no new worker came within {patience:g} s"
        if not set(running.workers(master)) & reload.old:
            reason += "; and the workers of before are gone, too"
        message = f"nginx did not take the new {self.conf_file}: {reason}"
        certain = logs.is_final() or reload.has_changed_nothing()
        raise ProxyError(message, hint=complaints.hint(reason), certain=certain)

    def _patience(self) -> float:
        """Return for how many seconds to wait: nginx reads the text again as it did for the test."""
        return round(self.patience + READS * self._tested, 1)

    def _start(self, orphans: list[Process]) -> None:
        """Start nginx, on the sockets of workers whose master was killed."""
        from zdd.nginx.process import takeover  # here, because nginx runs before most deploys
        from zdd.nginx.process.launch import Launch

        argv = [self.binary.path, "-p", self.prefix, "-c", self.conf_file]
        sockets = takeover.listeners(orphans, listen.ports(self.text() or ""))
        try:
            with Launch(argv, self.conf_file, self._commands, sockets, self.unit) as launch:
                if not self._wait(self.workers, launch.has_failed):
                    raise launch.failure(self.pid_file, self._clock)
        finally:
            for descriptor in sockets:
                os.close(descriptor)

    def _dismiss(self, orphans: list[Process]) -> None:
        """Make workers whose master was killed take nothing new: they lead where the text of before did."""
        for orphan in orphans:
            orphan.signal(signal.SIGQUIT)
        if orphans:
            left, pids = set(orphans), {orphan.pid: 0 for orphan in orphans}
            self._wait(lambda: left.isdisjoint(taking for taking, _ in running.all_workers(pids)), lambda: False)

    def _wait(self, is_done: Callable[[], object], is_lost: Callable[[], bool]) -> bool:
        for _ in self._clock.poll(_POLL, self._clock.now() + self._patience()):
            if is_done():
                return True
            if is_lost():
                break
        return bool(is_done())


def _testable(text: str) -> str:
    """Return a text that we may test: a master with the right to low ports needs no test of that by us."""
    first = low_ports.first_free()
    return text if os.geteuid() == 0 or first == 0 or low_ports.may_bind() else listen.raised(text, first)


def _check_may_signal(master: Process) -> None:
    owner = process.user_id(master.pid)
    if owner is not None and os.geteuid() not in (0, owner):  # None: it has ended meanwhile
        raise UsageError(
            f"nginx (process {master.pid}) belongs to the user with number {owner}: you may not reload or stop it",
            hint="run zddeploy as that user",
        )
