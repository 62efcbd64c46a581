"""An nginx that somebody else runs: zdd writes its upstreams and has it reloaded, and never starts or stops it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from fnmatch import fnmatch

from zdd.conf.schema import Config, RunService
from zdd.errors import UsageError
from zdd.finding import Finding, error, warning
from zdd.host import files, process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx import conf_file
from zdd.nginx.base import MaintenanceCheck, NginxBase, uid_of
from zdd.nginx.config import include, maintenance, render
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.process import running
from zdd.nginx.process.complaints import ProxyError, unwritable
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_PID_FILE = "/run/nginx.pid"  # where distributions have it
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
        self.pid_file = str(config.nginx.pid_file or _PID_FILE)
        self.error_log = os.devnull  # only the configuration of that nginx knows it

    def require(self) -> None:
        """Raise UsageError where there is no nginx program, or where the include cannot be written."""
        _ = self.binary.version
        if not os.access(os.path.dirname(os.path.realpath(self.conf_file)), os.W_OK | os.X_OK):
            message = f"cannot write {self.conf_file}: its folder is missing or not yours to write to"
            raise UsageError(message, hint=_WRITABLE)

    def text(self, target: Manifest) -> str:
        """Return the upstreams for this table."""
        return render.include(self.config.project, self.targets(target), self.binary.version)

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

    def master(self) -> Process | None:
        """Return the master that the pid file names, or else the only one that runs; None if none or several run."""
        pid = files.read_number(self.pid_file)
        named = Process.find(pid) if pid else None
        if named and running.is_master(named.pid):
            return named
        masters = [master for pid in process.parents() if running.is_master(pid) and (master := Process.find(pid))]
        return masters[0] if len(masters) == 1 else None

    def serves(self) -> bool:
        """Return whether an nginx can be seen."""
        return self.master() is not None

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs."""
        return None if self.master() else f"no nginx can be seen that would read {self.conf_file}"

    def describe(self) -> dict[str, object]:
        """Return what `status` says of nginx."""
        return super().describe() | {"managed": False}

    def visits(self, target: Manifest) -> list[Visit]:
        """Return a request for each service whose `health_host` says what to ask for."""
        requests = [request for request in self._requests().values() if isinstance(request, Visit)]
        return [request for request in requests if request.service in target.services()]

    def unasked(self) -> list[str]:
        """Return the services that no request can be sent to through nginx, where known with the reason."""
        found = {name: self._requests().get(name, "") for name in self._reachable()}
        return [f"{name} ({why})" if why else name for name, why in found.items() if isinstance(why, str)]

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:
        """Return how to see that the user's server blocks answer with the page: by a request to each service."""
        visits = self.visits(serving) if serving else []
        unasked = [name for name in self._reachable() if name not in {visit.service for visit in visits}]
        lines = maintenance.shown(self.paths.maintenance)
        return MaintenanceCheck(visits, unasked, f"your server block needs (once, and a reload):\n{lines}")

    def findings(self) -> Iterator[Finding]:
        """Look whether it runs."""
        if problem := self.problem():
            yield warning(problem, "a reload would have no effect", "start nginx, or set pid_file")

    def text_findings(self) -> Iterator[Finding]:
        """Look at the configuration that includes our file."""
        from zdd.nginx.config import lint, target  # here, because only `check` asks

        path = self._main_file()
        configuration = self._configuration(path)
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

    def worker_users(self) -> list[int]:
        """Return the users that its workers are now, or else the configured or usual one."""
        uids = {uid for worker in self.workers() if (uid := process.user_id(worker.pid)) is not None}
        return sorted(uids) or [uid_of(self._configured_user())]

    def _reachable(self) -> dict[str, RunService]:
        """Return the services that nginx leads to."""
        return {name: service for name, service in self.config.apps.items() if service.is_routed}

    def _requests(self) -> dict[str, Visit | str]:
        """Return a request, or why none is known, for each service whose `health_host` says what to ask for."""
        from zdd.nginx.config import visit  # here, because only a deploy and `check` ask

        services = {name: service for name, service in self._reachable().items() if service.health_host}
        configuration = self._configuration(self._main_file())
        if configuration and not configuration.unread:
            found = visit.find(configuration.directives, visit.wishes(services), named=True)
            return {name: visit.without_proxy(request) for name, request in found.items()}
        if not (listening := _listening()):
            return {}
        address, tls = listening
        return {
            name: Visit(name, address, service.health_host or "", service.health_path or "/", tls)
            for name, service in services.items()
        }

    def _main_file(self) -> str | None:
        master = self.master()
        return (running.conf_file_of(process.title(master.pid)) if master else None) or self.binary.conf_path

    def _configuration(self, path: str | None) -> include.Expanded | None:
        """Return all that nginx reads, None where its main file cannot be read."""
        text = files.read(path) if path and os.access(path, os.R_OK) else None
        return include.expand(text, path, conf_file.included) if path and text is not None else None

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


def _listening() -> tuple[Address, bool] | None:
    """Return where a client on this machine would ask; None when nobody listens at the usual ports."""
    for port, tls in _PORTS:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            continue
        return ("127.0.0.1", port), tls
    return None
