"""The nginx that zdd runs: with a text of zdd's own, or with the user's template."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Sequence
from functools import cached_property

from zdd.conf.schema import Config
from zdd.errors import DeployFailed, UsageError
from zdd.finding import Finding, error
from zdd.host import files, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx import conf_file, ports
from zdd.nginx.base import MaintenanceCheck, NginxBase
from zdd.nginx.conf_file import read_template
from zdd.nginx.config import include, listen, maintenance, parse, render, template, upstream, visits
from zdd.nginx.config import target as targets
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.config.mark import PLACEHOLDER
from zdd.nginx.config.render import Route, Setup
from zdd.nginx.process import master, replaced
from zdd.nginx.process.master import Answer
from zdd.nginx.process.nginx import NginxProcess
from zdd.nginx.users import uid_of
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_PER_REQUEST = 2  # connections that a request costs nginx: the client's and the one to the app


class ManagedNginx(NginxBase):
    """
    nginx with a text of which zdd writes all.

    It is either the user's template, rendered beside itself, or zdd's own text below S. Either way zdd starts it
    when it does not run.
    """

    is_ours = True

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock) -> None:
        super().__init__(config, paths, commands, clock)
        self.conf_file = paths.nginx_conf
        self.pid_file = str(config.nginx.pid_file or paths.nginx_pid)
        self.error_log = paths.nginx_log
        self.template = str(config.nginx.template) if config.nginx.template else None
        self.prefix = str(config.folder) if self.template else paths.nginx
        self.routes = self.template is None
        self.read_timeout = None if self.template else config.nginx.proxy_read_timeout

    @cached_property
    def process(self) -> NginxProcess:
        """Its process. Raises UsageError when there is no nginx program."""
        # The unit is ours in its name: workers of an nginx that was killed may still hold another one.
        name = systemd.unit_name(self.config.project, f"nginx-{os.getpid()}")
        properties = {"KillSignal": "SIGQUIT", "TimeoutStopSec": "30"}
        unit = systemd.Unit(name, f"nginx of {self.config.project}", properties)
        return NginxProcess(
            self.binary,
            self.conf_file,
            self.pid_file,
            self.prefix,
            self.commands,
            self.clock,
            unit=unit,
            digest=self.mark.digest,
            look=self.seen,
        )

    def require(self) -> None:
        """Raise UsageError where there is no nginx program, or no template that can be read."""
        _ = self.binary.version
        self._source()
        known = listen.ports(self.file.text() or "") if self.serves() else set[int]()
        ports.require(self.listen(), known, self.processes())
        super().require()

    def text(self, target: Manifest) -> str:
        """Return the text nginx should have for this table: a function of configuration and table alone."""
        targets = self.targets(target)
        if self.template is None:
            return render.render(self._setup(targets), self.binary.version)
        values, binding = {"nginx_pid_filename": self.pid_file, PLACEHOLDER: self.mark.lines()}, {}
        for name, paths in targets.items():
            values[f"{name}.servers"] = upstream.servers(paths, self.binary.version)
            binding[f"{name}.servers"] = upstream.servers(paths, self.binary.version, backups=False)
            port = target.of(name)[0].port
            if port is not None:
                values[name] = str(port)
        classic = all(service.kind == "classic" for service in self.config.services.values())
        return self.mark.seal(template.render(self._source(), values, values | binding, everywhere=classic))

    def runs(self, text: str) -> bool:
        """Return whether nginx runs this very text already."""
        return self.process.runs(text)

    def change(self, text: str) -> str:
        """Test the text, put it in place, start or reload nginx."""
        if self.template is None:
            files.make_folder(self.paths.nginx, 0o711)
        return self.process.apply(text)

    def change_back(self, text_before: str | None, stop: bool | None = None) -> None:
        """Bring the text of before back; `stop` nginx where it did not run."""
        self.process.restore(text_before, stop)

    def which(self) -> Answer:
        """Return nginx's master process, or that it does not run."""
        return master.of_ours(self.pid_file, self.conf_file)

    def serves(self) -> bool:
        """Return whether nginx answers, be it by workers whose master was killed."""
        return self.process.serves()

    def processes(self) -> list[Process]:
        """Return all its processes, also workers whose master was killed."""
        found = self.master()
        return [*self.workers(shutting_down=True), *([found] if found else self.process.orphans())]

    def quit(self) -> list[Process]:
        """Make nginx take nothing new; returns its workers, which finish what they have."""
        return self.process.quit() if self._has_run() else []

    def stop(self) -> None:
        """Stop nginx; clients that are being answered get their answers first."""
        if self._has_run():
            self.process.stop(self.config.nginx.proxy_read_timeout)

    def problem(self) -> str | None:
        """Return what is wrong with nginx, None when it runs."""
        if self.master():
            return self.altered()
        if self.serves():
            return "nginx's master process has died; its workers serve on: the next reload replaces them"
        return "nginx does not run: `zddeploy` starts it"

    def listen(self) -> list[str]:
        """Return the addresses that nginx listens on."""
        if self.template is None:
            return list(self.config.nginx.listen)
        return [f":{port}" for port in sorted(listen.ports_of(self._filled().directives))]

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request through nginx to each service, or why none is known."""
        if self.template is None:
            address = self._address()
            return visits.find(self.config.apps, services, self.config.nginx.server_name, address) if address else {}
        from zdd.nginx.config import visit  # here, because zdd's own text needs no look

        port = 80 if os.geteuid() == 0 else 8000
        wanted = visit.wishes({name: self.config.services[name] for name in services})
        return dict(visit.find(self._filled().directives, wanted, named=False, port=port))

    def doors(self) -> list[Visit]:
        """Return a request to zdd's own text, or to the services of a template."""
        if self.template:
            return self.visits(list(self.config.services))
        address = self._address()
        return [Visit("nginx", address, "localhost", "/")] if address else []

    def _address(self) -> Address | None:
        """Return the first address on which zdd's own text listens."""
        return listen.http_address([address] for address in self.config.nginx.listen)

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:  # noqa: ARG002
        """
        Return how to see that each server block that looks for the page answers with it.

        Raises UsageError where the template does not look for it, DeployFailed where the text in place does not yet.
        """
        file = self.paths.maintenance
        if self.template and file not in self._source():
            hint = f"put this into its server block and deploy:\n{maintenance.shown(file)}"
            raise UsageError(f"{self.template} does not look for {file}", hint=hint)
        text = include.expand(self.file.text() or "", self.conf_file, conf_file.included).directives
        visits, unasked = maintenance.visits(text, file)
        if not visits and not unasked:
            raise DeployFailed(f"nginx does not look for {file} yet", hint="`zddeploy` brings it to the text that does")
        return MaintenanceCheck(visits, [f"the server {name}" for name in unasked], None)

    def limits(self) -> Sequence[tuple[int, str]]:
        """Return how many requests nginx itself has room for."""
        tree = self._filled().directives
        connections = parse.number(tree, "events", "worker_connections", default=512)
        is_auto = parse.value(tree, "worker_processes", default="1") == "auto"
        count = (os.cpu_count() or 1) if is_auto else parse.number(tree, "worker_processes", default=1)
        return [(connections * count // _PER_REQUEST, "nginx worker_connections")]

    def text_findings(self) -> Iterator[Finding]:
        """Look at the template; zdd's own text needs no look."""
        from zdd.nginx.config import lint  # here, because only `check` asks

        if self.template is None:
            return
        source, services = self._source(), lint.served(self.config.services)
        yield from lint.names(template.mentions(source, self.config.services), services)
        text, _, unread = self._filled()
        yield from lint.unread(unread, self.template)
        named = [directive.args[0] for directive in parse.at(text, "pid")]
        if [os.path.join(self.prefix, path) for path in named] != [self.pid_file]:
            yield error(
                f"the template's pid is {named[0] if named else 'not set'}, and pid_file {self.pid_file}",
                "zdd would not find nginx, and start a second one",
                "write pid {nginx_pid_filename}; in the template",
            )
        passes = targets.passes(text, services, named=False)
        yield from lint.judge(text, self.binary.version, services, passes)
        yield from lint.hidden([one for one in passes if one.service in self.config.apps], self.mark)

    def worker_users(self) -> list[int]:
        """Return the user that its text names, ours unless we are root, and those that its workers run as now."""
        meant = uid_of(self._worker_user()) if os.geteuid() == 0 else os.geteuid()
        return sorted({meant, *self.whereabouts().users()})

    def findings(self) -> Iterator[Finding]:
        """Look whether its program was replaced, and whether its text was changed."""
        yield from replaced.findings(self.whereabouts(), self.binary)
        if altered := self.altered():
            yield error(altered, "nginx may not run what zdd has told it", "`zddeploy up`")

    def _source(self) -> str:
        """Return the text that zdd fills in. Raises UsageError where the template cannot be read."""
        return read_template(self.template) if self.template else render.MAIN

    def _filled(self) -> include.Expanded:
        """Return what zdd fills in with marks for the services and with the included files, in the template's lines."""
        if self.template is None:
            return include.Expanded(parse.parse(render.MAIN.format(user="", pid="", error_log="", http="")), [], [])
        values = targets.marks(self.config.services, self.binary.version)
        values |= {"nginx_pid_filename": self.pid_file, PLACEHOLDER: self.mark.lines().replace("\n", " ")}
        text = template.render(self._source(), values)
        return include.expand(text, self.template, conf_file.included, os.path.dirname(self.conf_file))

    def _has_run(self) -> bool:
        return self.master() is not None or os.path.exists(self.conf_file)

    def _worker_user(self) -> str:
        if self.template:
            return parse.value(self._filled().directives, "user", default=self.binary.user)
        return self._configured_user()

    def _setup(self, targets: dict[str, list[str]]) -> Setup:
        nginx = self.config.nginx
        apps = [self.config.apps[name] for name in targets if name in self.config.apps]
        user = self._worker_user() if os.geteuid() == 0 else None
        assets = self.config.release.assets if self.config.release else []
        return Setup(
            pid_file=self.pid_file,
            error_log=self.error_log,
            temp_folder=self.paths.nginx_temp,
            listen=nginx.listen,
            routes=[Route(app.name, app.host, app.path) for app in apps],
            upstreams=targets,
            server_name=nginx.server_name,
            client_max_body_size=nginx.client_max_body_size,
            proxy_read_timeout=nginx.proxy_read_timeout,
            user=user,
            group=_group_of(user) if user else None,
            maintenance_file=self.paths.maintenance,
            assets=[f"{self.paths.assets}/{folder}" for folder in assets],
            reloads=any(app.socket == "tcp" for app in apps),
            mark=self.mark,
        )


def _group_of(user: str) -> str | None:
    """Return the user's own group: nginx would take one of the user's name, which there may not be."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        return None
