"""An nginx that somebody else runs: zdd writes its upstreams and has it reloaded, and never starts or stops it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from fnmatch import fnmatch

from zdd.conf.schema import Config, RunService
from zdd.errors import UsageError
from zdd.finding import Finding, error, warning
from zdd.host import files
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances.driver import ProxySide
from zdd.nginx import conf_file, whose
from zdd.nginx.base import MaintenanceCheck, NginxBase
from zdd.nginx.config import maintenance, parse, render
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.process import replaced, running
from zdd.nginx.process.complaints import ProxyError, unwritable
from zdd.nginx.process.master import USUAL_PID_FILE, Absent, Answer
from zdd.nginx.process.reads import Readers
from zdd.nginx.users import uid_of
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_PORTS = ((443, True), (80, False))  # where a client would ask, and whether nginx speaks TLS there
_TIMEOUT = 60.0  # seconds for one command
_POLL = 0.02
_SUDO = "nobody can type a password here: `sudo zddeploy enable` writes the line for /etc/sudoers.d that this needs"
_NAMES = "upstreams have the names of services, and another file has this one already: rename the service"
_WRITABLE = "use a file in a folder of yours, and have nginx's configuration `include` it inside `http { }`"


class ExternalNginx(NginxBase):
    """
    The nginx of the distribution, or any other, which includes the file that `[nginx] include` names.

    The user's commands make it test and read the file; they run only when its text changes.
    """

    routes = False  # the user's server blocks do
    read_timeout: float | None = None  # only they know it
    patience = 10.0  # seconds for a reload

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock) -> None:
        super().__init__(config, paths, commands, clock)
        self.conf_file = str(config.nginx.include)
        self.pid_file = str(config.nginx.pid_file or USUAL_PID_FILE)
        self.readers = Readers(self.conf_file, str(config.nginx.binary) if config.nginx.binary else None, commands)
        self.error_log = os.devnull  # only the configuration of that nginx knows it

    def require(self) -> None:
        """Raise UsageError where there is no nginx program, or where the include cannot be written."""
        _ = self.binary.version
        if not os.access(os.path.dirname(os.path.realpath(self.conf_file)), os.W_OK | os.X_OK):
            message = f"cannot write {self.conf_file}: its folder is missing or not yours to write to"
            raise UsageError(message, hint=_WRITABLE)
        whose.require_own(self.conf_file, self.file.text() or "", self.paths.runtime, self.config.path)
        super().require()

    def text(self, target: Manifest) -> str:
        """Return the upstreams for this table."""
        line = whose.first_line(self.config.project, self.paths.runtime)
        return render.include(line, self.targets(target), self.binary.version)

    def runs(self, text: str) -> bool:
        """Return whether nginx was made to read this text, so that there is nothing to do."""
        return text == self.file.text() and self.file.is_trusted()

    def change(self, text: str) -> str:
        """Put the text in place, test it, reload."""
        before = self.file.text()
        if self.runs(text):
            return "unchanged"
        old_workers = self.workers()
        try:
            self.file.try_out(text)
        except OSError as problem:
            raise unwritable(f"cannot write {self.conf_file}: {problem.strerror}", problem, _WRITABLE) from problem
        reloading = False
        try:
            self._run("test", self.config.nginx.test)
            reloading = True
            verified = self._reload(old_workers)
        except ProxyError:
            self._go_back(before, reloading)
            raise
        self.file.trust()
        return "reloaded" if verified else "reloaded, says its command; its processes cannot be seen here"

    def change_back(self, text_before: str | None, stop: bool | None = None) -> None:  # noqa: ARG002
        """
        Bring the text of before back; nginx is not stopped, as it serves others, too.

        Where there was no text, this one stays: the user's server blocks name its upstreams, and without them that
        nginx would not start any more.
        """
        if text := text_before or self.file.text():
            self.change(text)

    def which(self) -> Answer:
        """Return the master that reads our file: the one that pid_file names, or else the only one that includes it."""
        pid_file = self.config.nginx.pid_file
        return self.readers.which(str(pid_file) if pid_file else None, self.clock.now())

    def serves(self) -> bool:
        """Return whether an nginx can be seen."""
        return self.master() is not None

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs or may run where it cannot be seen."""
        answer = self.which()
        return answer.reason if isinstance(answer, Absent) else self.altered()

    def access(self) -> ProxySide:
        """Return what an instance needs in order to let nginx in, and only nginx."""
        return ProxySide(self.worker_users(), self._for_keepers())

    def describe(self) -> dict[str, object]:
        """Return what `status` says of nginx."""
        return super().describe() | {"managed": False}

    def visits(self, target: Manifest) -> list[Visit]:
        """Return a request for each service whose `health_host` says what to ask for."""
        if not (listening := self._listening()):
            return []
        address, tls = listening
        return [
            Visit(name, address, service.health_host, service.health_path or "/", tls)
            for name, service in self._reachable().items()
            if service.health_host and name in target.services()
        ]

    def unasked(self) -> list[str]:
        """Return the services that no request can be sent to through nginx, since only its server blocks know how."""
        nowhere = self._listening() is None
        return [name for name, service in self._reachable().items() if nowhere or not service.health_host]

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:
        """Return how to see that the user's server blocks answer with the page: by a request to each service."""
        visits = self.visits(serving) if serving else []
        unasked = [name for name in self._reachable() if name not in {visit.service for visit in visits}]
        lines = maintenance.shown(self.paths.maintenance)
        return MaintenanceCheck(visits, unasked, f"your server block needs (once, and a reload):\n{lines}")

    def findings(self) -> Iterator[Finding]:
        """Look whether it runs, whose the include is, and whether the program was replaced."""
        whereabouts = self.whereabouts()
        if isinstance(whereabouts.answer, Absent):
            reason = whereabouts.answer.reason
            yield warning(reason, "a reload would have no effect", "start nginx, include the file, or set pid_file")
        elif altered := self.altered():
            yield error(altered, "nginx may not lead to the services", "`zddeploy up`")
        if doubt := whereabouts.doubt:
            yield warning(doubt, "a reload is not verified, and access is given to the usual user", "")
        yield from replaced.findings(whereabouts, self.binary)

    def text_findings(self) -> Iterator[Finding]:
        """Look at the configuration that includes our file."""
        from zdd.nginx.config import lint  # here, because only `check` asks

        found = self.master()
        reading = self.readers.configuration(found) if found else None
        path = reading.path if reading and not reading.root else self.binary.conf_path
        main = files.read(path) if path and os.access(path, os.R_OK) else None
        if path is None or main is None:
            yield warning(f"cannot read {path or 'nginx.conf'}", "what it says was not looked at", "look at it as root")
            return
        patterns: list[str] = []

        def read(pattern: str) -> Iterator[str]:
            patterns.append(pattern)
            return conf_file.included(pattern)

        text = parse.expand(main, os.path.dirname(path), read)
        if not any(fnmatch(self.conf_file, pattern) for pattern in patterns):
            yield error(
                f"{path} does not include {self.conf_file}",
                "nginx would never learn of the services",
                f"include {self.conf_file}; inside http {{ }}",
            )
        services = lint.served(self.config.services)
        passes = lint.passes(text, services, named=True)
        for name in services.keys() - {passing.service for passing in passes}:
            yield warning(f"no server block leads to {name}", "no request reaches it", f"proxy_pass http://{name};")
        yield from lint.judge(text, self.binary.version, services, passes)

    def worker_users(self) -> list[int]:
        """Return the users that its workers are now, or else the configured or usual one."""
        return self.whereabouts().users() or [uid_of(self._configured_user())]

    def _listening(self) -> tuple[Address, bool] | None:
        """Return where a client on this machine would ask; None when no nginx listens at the usual ports."""
        for port, tls in _PORTS:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
            except OSError:
                continue
            if self.whereabouts().holds(port) is not False:
                return ("127.0.0.1", port), tls
        return None

    def _reachable(self) -> dict[str, RunService]:
        """Return the services that nginx leads to."""
        return {name: service for name, service in self.config.apps.items() if service.is_routed}

    def _for_keepers(self) -> str:
        """Return the pid file by which keepers find nginx: its own where that is known, else one that zdd writes."""
        found = self.whereabouts().likely
        known = self.readers.pid_file(found, self.pid_file) if found else self.pid_file
        if found and not known:
            files.write(self.paths.nginx_seen, f"{found.pid}\n")
        return known or self.paths.nginx_seen

    def _go_back(self, before: str | None, reload: bool) -> None:
        self.file.put(before)
        if reload:
            try:
                self._reload(self.workers())
            except ProxyError:
                return  # the mark stays, so the next command tries again
        self.file.trust()

    def _reload(self, old_workers: list[Process]) -> bool:
        """Reload and wait until new workers have taken over; return False where the workers cannot be seen."""
        reload = self.config.nginx.reload or ""  # the configuration's check has seen that there is one
        self._run("reload", reload)
        if not old_workers:
            return False
        for _ in self.clock.poll(_POLL, self.clock.now() + self.patience):
            if running.have_taken_over(self.workers(), old_workers):
                return True
        reason = f"no new worker came within {self.patience:g} s after `{reload}`"
        raise ProxyError(f"nginx did not take the new {self.conf_file}: {reason}", certain=False)

    def _run(self, name: str, command: str | None) -> None:
        if command is None:
            return
        result = self.commands.run(["/bin/sh", "-ec", command], timeout=_TIMEOUT)
        if result.status != 0:
            output = " ".join(result.output.split()) or "it said nothing"
            hint = _SUDO if "sudo: a " in output else _NAMES if "duplicate upstream" in output else None
            raise ProxyError(
                f"[nginx] {name} `{command}` ended with status {result.status}: {output[-600:]}", hint=hint
            )
