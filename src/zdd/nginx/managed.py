"""The proxy of a project: the text nginx should have for a table, and bringing it there and back."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
from functools import cached_property
from typing import Any

from zdd.conf.schema import Config, RunService
from zdd.errors import UsageError
from zdd.host import files, reach, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances.supervised import ProxySide
from zdd.nginx import gate
from zdd.nginx.config import template, upstream
from zdd.nginx.config.render import Route, Setup, render
from zdd.nginx.gate import Visit
from zdd.nginx.include import Include
from zdd.nginx.process import binary, running
from zdd.nginx.process.nginx import Nginx
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest

_SUFFIX = ".template"


class ManagedNginx:
    """
    nginx, before the services.

    It reads either the user's template, rendered beside itself, or zdd's own text below S. Either way zdd starts it
    when it does not run.
    """

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.config = config
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.template = config.nginx.template
        if self.template:
            self.conf_file = str(self.template).removesuffix(_SUFFIX)
            self.prefix = str(config.folder)
        else:
            self.conf_file = f"{paths.nginx}/nginx.conf"
            self.prefix = paths.nginx
        self.pid_file = str(config.nginx.pid_file or f"{paths.runtime}/nginx.pid")
        self.error_log = f"{paths.logs}/nginx.log"

    @cached_property
    def nginx(self) -> Nginx | Include:
        """The nginx that is used, found when it is first needed. Raises UsageError when there is none."""
        configured = self.config.nginx.binary
        found = binary.find(str(configured) if configured else None, self.master(), self.commands)
        unit = _unit(self.config.project)
        return Nginx(found, self.conf_file, self.pid_file, self.prefix, self.commands, self.clock, unit=unit)

    def require(self) -> None:
        """Raise UsageError, while nothing is touched yet, where there is no nginx or no template that can be read."""
        _ = self.nginx.binary.version
        if self.template:
            template.read(str(self.template))

    def text(self, target: Manifest) -> str:
        """Return the text nginx should have for this table: a function of configuration and table alone."""
        version = self.nginx.binary.version
        targets = self._targets(target)
        if self.template is None:
            return render(self._setup(targets), version)
        source = template.read(str(self.template))
        spares = template.takes_spares(source)
        values = {"nginx_pid_filename": self.pid_file}
        for name, paths in targets.items():
            values[f"{name}.servers"] = upstream.servers(paths, version, spares)
            port = target.of(name)[0].port
            if port is not None:
                values[name] = str(port)
        return template.render(source, values)

    def runs(self, wanted: str) -> bool:
        """Tell whether nginx runs this very text already."""
        return self.nginx.runs(wanted)

    def apply(self, deploy: int, wanted: str) -> str:
        """Bring nginx to the text, keeping the one of before for `restore`; returns what was done, in words."""
        kept = self._kept(deploy)
        if files.read(kept) is None:
            files.write(kept, json.dumps({"text": self.nginx.text(), "ran": self.nginx.serves()}), mode=0o600)
        if self.template is None:
            files.make_folder(self.paths.nginx, 0o711)
        change = self.nginx.apply(wanted)
        if change.started:
            return "started"
        if not change.verified:
            return "reloaded, says its command; its processes cannot be seen here"
        return "reloaded" if change.changed else "unchanged"

    def restore(self, deploy: int) -> None:
        """Bring nginx back to the text that `apply` found; nothing where `apply` was never called."""
        kept = files.read(self._kept(deploy))
        if kept is None:
            return
        before = json.loads(kept)
        self.nginx.restore(before["text"], stop=not before["ran"])

    def check(self, target: Manifest, before: Manifest | None) -> None:
        """
        Send one request through nginx for each service that is changed, or for all when it was given another text.

        Raises Unreachable.
        """
        changed = target.changed(before)
        kept = files.read(self._kept(target.deploy))
        everywhere = kept is None or json.loads(kept)["text"] != self.nginx.text()
        visits = [visit for visit in self.visits(target) if everywhere or visit.service in changed]
        gate.send(self.paths, target, visits, self.error_log, self.clock)

    def visits(self, target: Manifest) -> list[Visit]:
        """Return the requests that lead through nginx to each service."""
        return gate.visits(self.config, target)

    def master(self) -> Process | None:
        """Return nginx's master process if it runs."""
        return running.find_master(self.pid_file, self.conf_file)

    def retiring_workers(self) -> list[Process]:
        """Return workers of before a reload that still finish what they have."""
        if self.master() is None:
            return []
        serving = self.nginx.workers()
        return [worker for worker in self.nginx.workers(shutting_down=True) if worker not in serving]

    def quit(self) -> list[Process]:
        """Have nginx take nothing new; returns its workers, who finish what they have."""
        return self.nginx.quit() if self.master() or os.path.exists(self.conf_file) else []

    def stop(self) -> None:
        """Stop nginx; clients that are being answered get their answers first."""
        if self.master() or os.path.exists(self.conf_file):
            self.nginx.stop(self.config.nginx.proxy_read_timeout)

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs."""
        if self.master():
            return None
        if self.nginx.serves():
            return "nginx's master process has died; its workers serve on: the next reload replaces them"
        return "nginx does not run: `zddeploy` starts it"

    def describe(self) -> dict[str, Any]:
        """Return what `status` says of nginx."""
        master = self.master()
        version = ".".join(map(str, self.nginx.binary.version)) if master else None
        return {"pid": master.pid if master else None, "version": version, "managed": True}

    def side(self) -> ProxySide:
        """Return what an instance must know of nginx."""
        return ProxySide(self._worker_users(), self.pid_file)

    def barrier(self) -> tuple[str, str] | None:
        """Return a folder that a user of nginx's workers cannot pass on the way to the sockets, and who that is."""
        for uid in self._worker_users():
            try:
                user = pwd.getpwuid(uid)
                name, groups = user.pw_name, os.getgrouplist(user.pw_name, user.pw_gid)
            except KeyError:
                name, groups = str(uid), []
            if folder := reach.first_unsearchable_folder(self.paths.runtime, uid, groups):
                return folder, name
        return None

    def _worker_users(self) -> list[int]:
        if os.geteuid() != 0:
            return [os.geteuid()]
        name = self._worker_user()
        try:
            return [pwd.getpwnam(name).pw_uid]
        except KeyError:
            raise UsageError(f"nginx's workers run as user {name!r}, who does not exist") from None

    def _worker_user(self) -> str:
        if self.template:
            named = re.search(r"(?m)^\s*user\s+([^\s;]+)", template.read(str(self.template)))
            return named[1] if named else self.nginx.binary.user
        return self.config.nginx.user or self._distribution_user()

    def _distribution_user(self) -> str:
        """Return the user that distributions make for nginx, else the compiled-in one."""
        for name in ("www-data", "nginx"):
            try:
                return pwd.getpwnam(name).pw_name
            except KeyError:
                continue
        return self.nginx.binary.user

    def _targets(self, target: Manifest) -> dict[str, list[str]]:
        """Return what nginx connects to for each service, workers left out."""
        by_service = target.by_service().items()
        return {name: self._addresses(instances) for name, instances in by_service if instances[0].kind != "none"}

    def _addresses(self, instances: list[Instance]) -> list[str]:
        return [
            f"unix:{self.paths.current}/{one.service}/{number:02}" if one.has_slot else f"127.0.0.1:{one.port}"
            for number, one in enumerate(instances)
        ]

    def _setup(self, targets: dict[str, list[str]]) -> Setup:
        nginx = self.config.nginx
        services = [self.config.services[name] for name in targets]
        apps = [service for service in services if isinstance(service, RunService)]
        return Setup(
            pid_file=self.pid_file,
            error_log=self.error_log,
            temp_folder=f"{self.paths.nginx}/temp",
            listen=nginx.listen,
            routes=[Route(app.name, app.host, app.path) for app in apps],
            upstreams=targets,
            server_name=nginx.server_name,
            client_max_body_size=nginx.client_max_body_size,
            proxy_read_timeout=nginx.proxy_read_timeout,
            user=self._worker_user() if os.geteuid() == 0 else None,
            group=_group_of(self._worker_user()) if os.geteuid() == 0 else None,
            maintenance_file=self.paths.maintenance,
            assets=[f"{self.paths.assets}/{folder}" for folder in self._assets()],
            reloads=any(app.socket == "tcp" for app in apps),
        )

    def _assets(self) -> list[str]:
        return list(self.config.release.assets) if self.config.release else []

    def _kept(self, deploy: int) -> str:
        return f"{self.paths.tables}/{deploy}/nginx.before"


def _unit(project: str) -> systemd.Unit:
    """Return the unit of the nginx that zdd starts: ours in its name, as workers of a killed one may hold another."""
    name = systemd.unit_name(project, f"nginx-{os.getpid()}")
    return systemd.Unit(name, f"nginx of {project}", {"KillSignal": "SIGQUIT", "TimeoutStopSec": "30"})


def _group_of(user: str) -> str | None:
    """Return the user's own group: nginx would take one of the user's name, which there may not be."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        return None
