"""The whole text of an nginx that zdd runs, written by zdd from the configuration."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Iterator, Sequence

from zdd.errors import UsageError
from zdd.finding import Finding, warning
from zdd.host import files
from zdd.nginx import addresses, untrusted, users
from zdd.nginx.config import listen, parse, render, server_lines, trust, visits
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.config.parse import Directive
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.trust import Trust
from zdd.nginx.managed_text import ManagedText
from zdd.routing.manifest import Manifest

_FORMER_DEFAULT = "8080"  # of `listen`, until 0.2


class OwnText(ManagedText):
    """zdd's own text, in a folder below S."""

    routes = True

    @property
    def read_timeout(self) -> float:
        """What the configuration says."""
        return self.config.nginx.proxy_read_timeout

    @property
    def prefix(self) -> str:
        """The folder below S."""
        return self.paths.nginx

    def require(self) -> None:
        """Raise UsageError for lines that cannot stand in a server block, and for an nginx without realip."""
        nginx = self.config.nginx
        if problem := server_lines.problem(nginx.server_lines):
            what, hint = problem
            raise UsageError(f"{nginx.server_include}, {what}", hint=hint)
        if self.trust().needs_realip and self.binary().lacks("http_realip_module"):
            raise UsageError(
                f"{self.binary().path} was built without its realip module, which finds the client behind a proxy",
                hint='install an nginx that has it, such as your system\'s; or set trusted_proxies = "none" in [nginx]',
            )

    def make_folder(self) -> None:
        """Make the folder below S."""
        files.make_folder(self.paths.nginx, 0o711)

    def text(self, target: Manifest) -> str:
        """Return the text for a table: a function of configuration and table alone."""
        nginx, upstreams = self.config.nginx, addresses.of(target, self.paths.current)
        known = self.config.apps
        apps = [known[name] for name in upstreams if name in known]
        user = self.worker_user() if os.geteuid() == 0 else None
        assets = self.config.release.assets if self.config.release else []
        setup = Setup(
            pid_file=self.pid_file,
            error_log=self.paths.nginx_log,
            temp_folder=self.paths.nginx_temp,
            listen=self.listen(),
            routes=[Route(app.name, app.host, app.path) for app in apps],
            upstreams=upstreams,
            server_name=nginx.server_name,
            client_max_body_size=nginx.client_max_body_size,
            proxy_read_timeout=nginx.proxy_read_timeout,
            user=user,
            group=_group_of(user) if user else None,
            maintenance_file=self.paths.maintenance,
            assets=[f"{self.paths.assets}/{folder}" for folder in assets],
            gzip=nginx.gzip,
            reloads=any(app.socket == "tcp" for app in apps),
            trust=self.trust(),
            server_lines=nginx.server_lines,
            mark=self.mark(),
        )
        return render.render(setup, self.binary().version)

    def trust(self) -> Trust:
        """
        Return whose X-Forwarded-* is believed.

        Until 0.2 everybody's was. A text in place that does so goes on as long as nobody has set the key: a site behind
        a proxy outside of private networks must not be told http by an upgrade, and redirect its visitors for ever.
        """
        nginx = self.config.nginx
        everybody = nginx.trusted_proxies is None and trust.believes_everybody(files.read(self.paths.nginx_conf) or "")
        ends_tls = bool(getattr(nginx, "is_tls", False))
        return trust.chosen(nginx.trusted_proxies, nginx.proxy_protocol, ends_tls, everybody)

    def directives(self) -> list[Directive]:
        """Return what stands outside of http."""
        return parse.parse(render.MAIN.format(user="", pid="", error_log="", http=""))

    def worker_user(self) -> str:
        """Return the configured user, or the usual one."""
        return users.of_workers(self.config.nginx.user, lambda: self.binary().user)

    def listen(self) -> list[str]:
        """
        Return what the configuration says, or else the default.

        Until 0.2 the default was every address. A text in place that has it keeps it: the site must not vanish from the
        network by an upgrade, and nginx could not reload from every address to one of the same port.
        """
        nginx = self.config.nginx
        return list(nginx.listen) if nginx.listen_is_set or not self._has_former_default() else [_FORMER_DEFAULT]

    def notices(self) -> Iterator[Finding]:
        """Tell that nginx listens on every address although no `listen` says so."""
        if not self.config.nginx.listen_is_set and self.listen() == [_FORMER_DEFAULT]:
            yield warning(
                f"nginx listens on port {_FORMER_DEFAULT} of every address of this machine, as before 0.2",
                "without `listen` a new project is reachable from this machine only",
                f'set listen in [nginx]: "{_FORMER_DEFAULT}" keeps it so',
            )
        yield from untrusted.findings(self.trust(), self.paths.nginx_log)

    def cause_in(self, text: str, complaint: str) -> str | None:
        """Return the file and line of server_include that nginx complains of, if it is one of those."""
        nginx, number = self.config.nginx, re.search(r":([0-9]{1,9})\Z", complaint.strip())
        line = server_lines.line_of(text, int(number[1]), nginx.server_lines) if number and nginx.server_lines else None
        return f"that is line {line} of {nginx.server_include}" if line else None

    def findings(self) -> Iterator[Finding]:
        """Yield what surprises later in the lines that server_include names."""
        nginx = self.config.nginx
        if nginx.server_lines:
            from zdd.nginx import included_lines  # here, because few projects have such lines

            yield from included_lines.findings(self.config, self.trust(), self.binary().version, self.mark())

    def _has_former_default(self) -> bool:
        """Return whether the text in place listens on the port of the default on every address."""
        text = parse.parse(files.read(self.paths.nginx_conf) or "")
        return ("0.0.0.0", int(_FORMER_DEFAULT)) in listen.sockets(text)

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request for each service's host and path: known without a look at the text, however long it is."""
        address = self._address()
        if address is None:
            return {}
        known = visits.find(self.config.apps, services, self.config.nginx.server_name, address)
        protocol = self.config.nginx.proxy_protocol
        return {name: _by(protocol, visit) if isinstance(visit, Visit) else visit for name, visit in known.items()}

    def doors(self) -> list[Visit]:
        """Return a request to the server block for all other hosts."""
        address = self._address()
        return [_by(self.config.nginx.proxy_protocol, Visit("nginx", address, "localhost", "/"))] if address else []

    def _address(self) -> Address | None:
        """Return the first address on which the text listens."""
        return next((listen.address([address]) for address in self.listen()), None)


def _by(proxy_protocol: bool, visit: Visit) -> Visit:
    return visit._replace(proxy_protocol=proxy_protocol)


def _group_of(user: str) -> str | None:
    """Return the user's own group: nginx would take one of the user's name, which there may not be."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        return None
