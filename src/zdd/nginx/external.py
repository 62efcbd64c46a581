"""A proxy that somebody else runs: zdd writes its upstreams and has it reloaded, and never starts or stops it."""

from __future__ import annotations

import os
import pwd
import socket
from functools import cached_property
from typing import Any

from zdd.conf.schema import Config, RunService
from zdd.errors import UsageError
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.gate import Visit
from zdd.nginx.include import PID_FILE, Include, render
from zdd.nginx.managed import ManagedNginx
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_PORTS = ((443, True), (80, False))  # where a client would ask, and whether it speaks TLS there


class ExternalNginx(ManagedNginx):
    """The nginx of the distribution, or any other, which includes the file that `[nginx] include` names."""

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock) -> None:
        super().__init__(config, paths, commands, clock)
        self.conf_file = str(config.nginx.include)
        self.pid_file = str(config.nginx.pid_file or PID_FILE)
        self.error_log = os.devnull  # only its own configuration knows where it is

    @cached_property
    def nginx(self) -> Include:
        """What stands for nginx here."""
        nginx = self.config.nginx
        configured = str(nginx.binary) if nginx.binary else None
        reload = nginx.reload or ""  # the configuration's check has seen to it
        return Include(self.conf_file, reload, nginx.test, self.pid_file, self.commands, self.clock, configured)

    def text(self, target: Manifest) -> str:
        """Return the upstreams for this table."""
        return render(self.config.project, self._targets(target), self.nginx.binary.version)

    def unasked(self) -> list[str]:
        """Return the services that no request can be sent to through nginx, since only its server blocks know how."""
        nowhere = _listening() is None
        return [name for name, service in self.reachable().items() if nowhere or not service.health_host]

    def master(self) -> Process | None:
        """Return nginx's master process as far as that can be told."""
        return self.nginx.master()

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs."""
        return None if self.master() else f"no nginx can be seen that would read {self.conf_file}"

    def describe(self) -> dict[str, Any]:
        """Return what `status` says of nginx."""
        return super().describe() | {"managed": False}

    def check_writable(self) -> None:
        """Raise UsageError where the include cannot be written."""
        folder = os.path.dirname(os.path.realpath(self.conf_file))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"cannot write {self.conf_file}: its folder is missing or not yours to write to",
                hint="use a file in a folder of yours, and have nginx's configuration `include` it inside `http { }`",
            )

    def visits(self, target: Manifest) -> list[Visit]:
        """Return a request for each service whose `health_host` tells what to ask for."""
        found = _listening()
        if found is None:
            return []
        address, tls = found
        return [
            Visit(name, address, service.health_host, service.health_path or "/", tls)
            for name, service in self.reachable().items()
            if service.health_host and name in target.services()
        ]

    def reachable(self) -> dict[str, RunService]:
        """Return the services that nginx leads to."""
        services = self.config.services.items()
        return {name: one for name, one in services if isinstance(one, RunService) and one.socket != "none"}

    def _worker_users(self) -> list[int]:
        """Return the users that its workers are now, or else the configured or usual one."""
        uids = {uid for worker in self.nginx.workers() if (uid := process.user_id(worker.pid)) is not None}
        if uids:
            return sorted(uids)
        name = self.config.nginx.user or self._distribution_user()
        try:
            return [pwd.getpwnam(name).pw_uid]
        except KeyError:
            raise UsageError(f"nginx's workers run as user {name!r}, who does not exist") from None


def _listening() -> tuple[tuple[str, int], bool] | None:
    """Return where a client on this machine would ask; None when nobody listens at the usual ports."""
    for port, tls in _PORTS:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            continue
        return ("127.0.0.1", port), tls
    return None
