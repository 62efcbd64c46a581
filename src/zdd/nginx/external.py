"""An nginx that somebody else runs: zdd writes its upstreams and reloads it, and never starts or stops it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import cached_property

from zdd.conf.schema import Config
from zdd.conf.services import RunService
from zdd.finding import Finding, error, warning
from zdd.host import files
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.driver import ProxySide
from zdd.nginx import addresses, conf_file, users, whose
from zdd.nginx.asked import AskedNginx
from zdd.nginx.config import access, include, maintenance, mark, render, sticky
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.process import replaced
from zdd.nginx.process.commanded import CommandedNginx
from zdd.nginx.process.master import USUAL_PID_FILE, Absent, Answer
from zdd.nginx.process.reads import Readers
from zdd.nginx.proxy import Check, MaintenanceCheck, proceed
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_CONNECT = 1.0  # seconds; on this machine a connect only takes time while the queue is full
_PORTS = ((443, True), (80, False))  # where a client would ask, and whether nginx speaks TLS there


class ExternalNginx(AskedNginx):
    """
    The nginx of the distribution, or any other, which includes the file that `[nginx] include` names.

    The user's commands make it test and read the file; they run only when its text changes.
    """

    routes = False  # the user's server blocks do
    read_timeout: float | None = None  # only they know it
    is_ours = False

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock, check: Check = proceed) -> None:
        super().__init__(config, paths, commands, clock, check)
        self.conf_file = str(config.nginx.include)
        self.pid_file = str(config.nginx.pid_file or USUAL_PID_FILE)
        self.readers = Readers(self.conf_file, str(config.nginx.binary) if config.nginx.binary else None, commands)
        self.error_log = os.devnull  # only the configuration of that nginx knows it

    def require(self) -> None:
        """Raise UsageError where there is no nginx program, or where the include cannot be written."""
        _ = self.binary.version
        self.process.require()
        whose.require_own(self.conf_file, self.file.text() or "", self.paths.runtime, self.config.path)
        super().require()

    def text(self, target: Manifest) -> str:
        line = whose.first_line(self.config.project, self.paths.runtime)
        upstreams = addresses.of(target, self.paths.current)
        bound = sticky.chosen(self.config.apps, upstreams)
        return render.include(line, upstreams, self.binary.version, self.mark, self._access_format(), bound)

    def _access_format(self) -> AccessFormat | None:
        return AccessFormat(self.mark.name, mark=self.mark) if self.config.nginx.access_log else None

    @cached_property
    def process(self) -> CommandedNginx:
        """Its process, as far as the user's commands reach it."""
        nginx, digest = self.config.nginx, self.mark.digest
        trial = self.paths.nginx_trial
        return CommandedNginx(nginx, self.commands, self.clock, self.master, digest, self.seen, trial, self.interrupt)

    def runs(self, text: str) -> bool:
        return self.process.runs(text)

    def change(self, text: str) -> str:
        return self.process.apply(text)

    def change_back(self, text_before: str | None, stop: bool) -> None:  # noqa: ARG002
        """
        Restore the former text; nginx is not stopped, because it serves other sites, too.

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
        return ProxySide(self.worker_users(), self._for_keepers())

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        from zdd.nginx.config import visit  # here, because only a deploy and `check` ask

        wanted = {name: service for name, service in self._reachable().items() if name in services}
        _, configuration = self._configuration
        if configuration and not configuration.unread:
            return dict(visit.find(configuration.directives, visit.wishes(wanted), named=True))
        return {name: self._likely(service) for name, service in wanted.items()}

    def _likely(self, service: RunService) -> Visit | str:
        """Return a request to where nginx usually listens, if its configuration cannot be read."""
        if not service.health_host:
            return "nginx's configuration cannot be read: set health_host"
        if not (listening := self._listening()):
            return "nobody listens on port 443 or 80"
        return Visit(service.name, listening[0], service.health_host, service.health_path or "/", listening[1])

    def doors(self) -> list[Visit]:
        """Return the requests to the services, and one to the server that answers for any other name."""
        listening = self._listening()
        other = [Visit("nginx", listening[0], "localhost", "/", listening[1])] if listening else []
        return [*self.visits(list(self.config.services)), *other]

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:
        """Return how to see that the user's server blocks answer with the page: by a request to each service."""
        visits = self.visits(serving.services()) if serving else []
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
        from zdd.nginx.config import lint, target  # here, because only `check` asks

        path, configuration = self._configuration
        if path is None or configuration is None:
            yield warning(f"cannot read {path or 'nginx.conf'}", "what it says was not looked at", "look at it as root")
            return
        text = configuration.directives
        yield from lint.unread(configuration.unread, path)
        if not any(fnmatch(self.conf_file, pattern) for pattern in configuration.included):
            yield error(
                f"{path} does not include {self.conf_file}",
                "nginx would never learn of the services",
                f"include {self.conf_file}; inside http {{ }}",
            )
        services = lint.served(self.config.services)
        passes = target.passes(text, services, named=True)
        for name in services.keys() - {passing.service for passing in passes}:
            yield warning(f"no server block leads to {name}", "no request reaches it", f"proxy_pass http://{name};")
        yield from lint.judge(text, self.binary.version, services, passes)
        yield from access.unlogged(text, self.config.nginx.access_log, self._access_format())
        if mark.is_in(self.file.text() or ""):  # else the next deploy brings the mark
            yield from lint.hidden(passes, self.mark)

    def worker_users(self) -> list[int]:
        """Return the users that its workers are now, or else the configured or usual one."""
        if seen := self.whereabouts().users():
            return seen
        return [users.uid_of(users.of_workers(self.config.nginx.user, lambda: self.binary.user))]

    def _listening(self) -> tuple[Address, bool] | None:
        """Return where a client on this machine would ask; None when no nginx listens at the usual ports."""
        for port, tls in _PORTS:
            try:
                socket.create_connection(("127.0.0.1", port), _CONNECT).close()
            except OSError:
                continue
            if self.whereabouts().holds(port) is not False:
                return ("127.0.0.1", port), tls
        return None

    def _reachable(self) -> dict[str, RunService]:
        """Return the services that nginx leads to."""
        return {name: service for name, service in self.config.apps.items() if service.is_routed}

    @cached_property
    def _configuration(self) -> tuple[str | None, include.Expanded | None]:
        """The main file of nginx, and all that it reads; None where that cannot be read."""
        master = self.master()
        reading = self.readers.configuration(master) if master else None
        path = reading.path if reading and not reading.root else self.binary.conf_path
        text = conf_file.text_of(path) if path else None
        return path, include.expand(text, path, conf_file.included) if path and text is not None else None

    def _for_keepers(self) -> str:
        """Return the pid file by which keepers find nginx: its own where that is known, else one that zdd writes."""
        found = self.whereabouts().likely
        known = self.readers.pid_file(found, self.pid_file) if found else self.pid_file
        if found and not known:
            files.write(self.paths.nginx_seen, f"{found.pid}\n")
        return known or self.paths.nginx_seen
