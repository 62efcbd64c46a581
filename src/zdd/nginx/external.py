"""An nginx that somebody else runs: zdd writes its upstreams and has it reloaded, and never starts or stops it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import cached_property

from zdd.conf.schema import Config, RunService
from zdd.errors import UsageError
from zdd.finding import Finding, error, warning
from zdd.host import files
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.driver import ProxySide
from zdd.nginx import conf_file, whose
from zdd.nginx.base import MaintenanceCheck, NginxBase
from zdd.nginx.config import include, maintenance, mark, render, upstream
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.process import complaints, replaced
from zdd.nginx.process.complaints import ProxyError, unwritable
from zdd.nginx.process.master import USUAL_PID_FILE, Absent, Answer
from zdd.nginx.process.reads import Readers
from zdd.nginx.process.reload import Reload
from zdd.nginx.users import uid_of
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_PORTS = ((443, True), (80, False))  # where a client would ask, and whether nginx speaks TLS there
_TIMEOUT = 60.0  # seconds for one command
_POLL = 0.02
_READS = 3  # how often a text may be read until nginx runs it: somebody else's reload, ours, and one to be sure
_SUDO = "nobody can type a password here: `sudo zddeploy enable` writes the line for /etc/sudoers.d that this needs"
_WHY = "nginx's error log says why"
_NAMES = "upstreams have the names of services, and another file has this one already: rename the service"
_WRITABLE = "use a file in a folder of yours, and have nginx's configuration `include` it inside `http { }`"


class ExternalNginx(NginxBase):
    """
    The nginx of the distribution, or any other, which includes the file that `[nginx] include` names.

    The user's commands make it test and read the file; they run only when its text changes.
    """

    routes = False  # the user's server blocks do
    read_timeout: float | None = None  # only they know it
    patience = 10.0  # seconds for a reload, besides what its test took
    is_ours = False

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
        return render.include(line, self.targets(target), self.binary.version, self.mark)

    def runs(self, text: str) -> bool:
        """Return whether nginx was made to read this text, so that there is nothing to do."""
        return text == self.file.text() and self.file.is_trusted()

    def change(self, text: str) -> str:
        """Put the text in place, test it, reload, and wait for the proof that nginx runs it."""
        before, trusted = self.file.text(), self.file.is_trusted()
        if self.runs(text):
            return "unchanged"
        reload, doubt = self._expect(text), _moves(before or "", before, trusted)
        try:
            self.file.try_out(text)
        except OSError as problem:
            raise unwritable(f"cannot write {self.conf_file}: {problem.strerror}", problem, _WRITABLE) from problem
        try:
            begun = self.clock.now()
            self._run("test", self.config.nginx.test)
            doubt = _moves(text, before, trusted)
            self._reload(reload, text, doubt, _READS * (self.clock.now() - begun))
        except ProxyError:
            self._go_back(before, trusted, reload, doubt)
            raise
        self.file.trust()
        return "reloaded" if reload else "reloaded, says its command; its processes cannot be seen here"

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

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request through nginx to each service, or why none is known."""
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
        text, included, unread = configuration
        yield from lint.unread(unread, path)
        if not any(fnmatch(self.conf_file, pattern) for pattern in included):
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
        if mark.is_in(self.file.text() or ""):  # else the next deploy brings the mark
            yield from lint.hidden(passes, self.mark)

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

    @cached_property
    def _configuration(self) -> tuple[str | None, include.Expanded | None]:
        """The main file of nginx, and all that it reads; None where that cannot be read."""
        master = self.master()
        reading = self.readers.configuration(master) if master else None
        path = reading.path if reading and not reading.root else self.binary.conf_path
        text = files.read(path) if path and os.access(path, os.R_OK) else None
        return path, include.expand(text, path, conf_file.included) if path and text is not None else None

    def _for_keepers(self) -> str:
        """Return the pid file by which keepers find nginx: its own where that is known, else one that zdd writes."""
        found = self.whereabouts().likely
        known = self.readers.pid_file(found, self.pid_file) if found else self.pid_file
        if found and not known:
            files.write(self.paths.nginx_seen, f"{found.pid}\n")
        return known or self.paths.nginx_seen

    def _expect(self, text: str) -> Reload | None:
        """Return what watches the reload to come; None if the master cannot be seen."""
        master = self.master()
        return Reload(master, self.clock, self.mark.digest(text), self.seen) if master else None

    def _go_back(self, before: str | None, trusted: bool, reload: Reload | None, doubt: bool) -> None:
        """Put the text of before back; reload unless nginx runs it still and has not read the other one meanwhile."""
        self.file.put(before)
        if reload is None or not trusted or not reload.has_changed_nothing():
            try:
                self._reload(self._expect(before or ""), before or "", doubt, self.patience)
            except ProxyError:
                return  # the mark stays, so the next command tries again
        self.file.trust()

    def _reload(self, reload: Reload | None, text: str, moved: bool, more: float) -> None:
        """
        Reload and wait until nginx has proved that it runs the text. Raises ProxyError otherwise.

        `moved`: another text that nginx may run leads to other ports.
        """
        command = self.config.nginx.reload or ""  # the configuration's check has seen that there is one
        logs = complaints.Logs(reload.master) if reload else None
        self._run("reload", command)
        if reload is None or logs is None:
            self._require_proof(text, moved)
            return
        patience, outcome = round(self.patience + more, 1), None
        for _ in self.clock.poll(_POLL, self.clock.now() + patience):
            if outcome := reload.outcome():
                break
        if outcome != "done":
            seen = "it goes on as before" if outcome else f"no new worker came within {patience:g} s"
            reason = logs.reason()
            message = f"nginx did not take the new {self.conf_file}: {reason or seen} after `{command}`"
            hint = complaints.hint(reason) if reason else _WHY
            raise ProxyError(message, hint=hint, certain=reload.has_changed_nothing())

    def _require_proof(self, text: str, moved: bool) -> None:
        """Raise ProxyError if nginx's processes cannot be seen, and its answers do not show a text with new ports."""
        seen = self.seen()
        if seen and seen.digest == self.mark.digest(text):
            return
        if moved:
            raise ProxyError(
                f"nothing shows which text nginx runs after `{self.config.nginx.reload}`: its master cannot be seen",
                hint="set pid_file in [nginx] to the pid file of the nginx that includes it",
                certain=False,
            )

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


def _moves(text: str, before: str | None, trusted: bool) -> bool:
    """Return whether a text leads to other ports than the one that nginx may run instead; unknown unless trusted."""
    ports = upstream.ports(text)
    return ports != upstream.ports(before or text) or bool(ports and not trusted)
