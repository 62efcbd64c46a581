"""The whole text of an nginx that zdd runs, written by zdd from the configuration."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec.structs import replace

from zdd.conf.assets import by_path
from zdd.conf.services import RunService, StaticService
from zdd.finding import Finding, warning
from zdd.host import files, reopen
from zdd.nginx import addresses, own_log, untrusted, users
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.config import listen, parse, render, server_lines, sticky, trust, visits
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.config.parse import Directive
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.static import StaticSite
from zdd.nginx.config.tls import Tls
from zdd.nginx.config.trust import Trust
from zdd.nginx.text import own_addresses, own_needs
from zdd.nginx.text.managed import ManagedText
from zdd.routing.manifest import Manifest, static_slot


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
        """Raise UsageError for lines that cannot stand in a server block, and for what this nginx cannot do."""
        own_needs.require(self.config, self.paths, self.binary(), self.trust)

    def make_folder(self) -> None:
        """Make the folder below S, the certificates that the text names, and what nginx logs into."""
        files.make_folder(self.paths.nginx, 0o711)
        if log := own_log.path_of(self.config, self.paths):
            reopen.make(log, users.uid_of(self.worker_user()) if os.geteuid() == 0 else os.geteuid())
        if self.config.nginx.is_tls:
            from zdd.nginx.certificates import choice

            choice.make(self.config, self.paths, self.binary().commands)

    @property
    def is_needed(self) -> bool:
        """Return whether visitors send requests to any service."""
        return self.config.is_reached

    def is_needed_for(self, target: Manifest) -> bool:
        """Return whether visitors send requests to any instance or static site of the table."""
        return target.is_reached

    def text(self, target: Manifest) -> str:
        """Return the text for a table: a function of configuration and table alone."""
        nginx, upstreams = self.config.nginx, addresses.of(target, self.paths.current)
        known = self.config.apps
        apps = [known[name] for name in upstreams if name in known]
        sites = [site for name, site in self.config.static.items() if name in target.static]
        routed: list[RunService | StaticService] = [*apps, *sites]
        user = self.worker_user() if os.geteuid() == 0 else None
        assets = self._assets()
        setup = Setup(
            pid_file=self.pid_file,
            error_log=self.paths.nginx_log,
            temp_folder=self.paths.nginx_temp,
            listen=own_addresses.plain(self.config, self.paths),
            routes=[Route(service.name, service.host, service.path) for service in routed],
            upstreams=upstreams,
            server_name=nginx.server_name,
            client_max_body_size=nginx.client_max_body_size,
            proxy_read_timeout=nginx.proxy_read_timeout,
            user=user,
            group=_group_of(user) if user else None,
            access_log=own_log.path_of(self.config, self.paths),
            maintenance_file=self.paths.maintenance,
            assets={path: f"{self.paths.assets}/{folder}" for path, folder in assets.items()},
            static={site.name: self._site(site) for site in sites},
            precompressed=self.binary().precompressed if sites or assets else (),
            gzip=nginx.gzip,
            reloads=any(app.socket == "tcp" for app in apps),
            trust=self.trust,
            server_lines=nginx.server_lines,
            mark=self.mark(),
            tls=self._tls(),
            acme_folder=self.paths.acme if nginx.https == "auto" else None,
            canonical_host=self._canonical,
            grpc=[app.name for app in apps if app.protocol == "grpc"],
            sticky=sticky.chosen(known, upstreams),
        )
        return render.render(setup, self.binary().version)

    def _tls(self) -> Tls | None:
        if not self.config.nginx.is_tls:
            return None
        from zdd.nginx.certificates import choice

        tls = choice.tls(self.config, self.paths)
        if tls is None:
            return None
        return replace(tls, listen=own_addresses.secure(self.config, self.paths), has_hybrid=self.binary().has_hybrid)

    def certificates(self) -> list[CertificateState]:
        """As in Proxy."""
        if not self.config.nginx.is_tls:
            return []
        from zdd.nginx.certificates import report

        return report.states(self.config, self.paths)

    def certificate_findings(self, new: bool = False) -> Iterator[Finding]:
        """As in Proxy."""
        if self.config.nginx.is_tls:
            from zdd.nginx.certificates import faults

            look = faults.refused if new else faults.findings
            yield from look(self.config, self.paths)

    @cached_property
    def trust(self) -> Trust:
        """
        Return whose X-Forwarded-* is believed; the text in place is read for that once.

        Until 0.2 everybody's was. A text in place that does so goes on as long as nobody has set the key: a site behind
        a proxy outside of private networks must not be told http by an upgrade, and redirect its visitors for ever.
        """
        nginx = self.config.nginx
        everybody = nginx.trusted_proxies is None and trust.believes_everybody(files.read(self.paths.nginx_conf) or "")
        return trust.chosen(nginx.trusted_proxies, nginx.proxy_protocol, nginx.is_tls, everybody)

    @property
    def _canonical(self) -> str | None:
        host = self.config.nginx.canonical_host
        return host.lower() if host else None

    def _site(self, service: StaticService) -> StaticSite:
        """Return what a static service serves: whatever release it is, it is at the same paths."""
        folder = f"{self.paths.current}/{static_slot(service.name)}"
        return StaticSite(folder, service.spa, f"{self.paths.static}/{service.name}")

    def directives(self) -> list[Directive]:
        """Return what stands outside of http."""
        return parse.parse(render.MAIN.format(user="", pid="", error_log="", http=""))

    def worker_user(self) -> str:
        """Return the configured user, or the usual one."""
        return users.of_workers(self.config.nginx.user, lambda: self.binary().user)

    def listen(self) -> list[str]:
        """Return all addresses, for plain HTTP and for HTTPS."""
        return [*own_addresses.plain(self.config, self.paths), *own_addresses.secure(self.config, self.paths)]

    def notices(self) -> Iterator[Finding]:
        """Yield notices: nginx listens on every address although no `listen` says so, and what surprises later."""
        if self.config.nginx.is_tls:
            from zdd.nginx.certificates import faults

            yield from faults.notices(self.config, self.paths)
        if " ssl" in (text := files.read(self.paths.nginx_conf) or "") or self.config.nginx.is_tls:
            from zdd.nginx.certificates import https_changes

            yield from https_changes.findings(self.config.nginx, text)
        yield from self._displaced_assets()
        yield from own_log.notices(self.config, self.paths)
        yield from own_addresses.notices(self.config, self.paths)
        yield from untrusted.findings(self.trust, self.paths.nginx_log)

    def _displaced_assets(self) -> Iterator[Finding]:
        """Yield which folders of assets have the URL path of a service, which answers there alone."""
        taken = {f"{each.path.rstrip('/')}/": each.name for each in self.config.routed.values()}
        for where, folder in self._assets().items():
            if where in taken:
                yield warning(
                    f"assets: nginx does not serve {folder} at {where}, which is the path of {taken[where]}",
                    f"{taken[where]} is asked for these files, and those of earlier releases are gone",
                    "give one of them another path",
                )

    def _assets(self) -> dict[str, str]:
        """Return the folder of assets at each URL path."""
        return by_path(self.config.release.assets) if self.config.release else {}

    def cause_in(self, text: str, complaint: str) -> str | None:
        """Return the file and line of server_include that nginx complains of, if it is one of those."""
        nginx, number = self.config.nginx, re.search(r":([0-9]{1,9})\Z", complaint.strip())
        line = server_lines.line_of(text, int(number[1]), nginx.server_lines) if number and nginx.server_lines else None
        more = server_lines.duplicate(complaint)
        return f"that is line {line} of {nginx.server_include}{more}" if line else None

    def findings(self) -> Iterator[Finding]:
        """Yield what surprises later in the lines that server_include names, and in the log's rotation."""
        if self.config.nginx.server_lines:
            from zdd.nginx.text import included_lines  # here, because few projects have such lines

            yield from included_lines.findings(self.config, self.trust, self.binary().version, self.mark())
        yield from own_log.findings(self.config, self.paths, lambda: users.uid_of(self.worker_user()))

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request for each service's host and path: known without a look at the text, however long it is."""
        nginx = self.config.nginx
        secure = own_addresses.secure(self.config, self.paths)
        address = _first(secure if nginx.is_tls else own_addresses.plain(self.config, self.paths))
        names = nginx.server_name
        found = visits.find(self.config.routed, services, names, address, self._canonical) if address else {}
        return {name: each if isinstance(each, str) else self._by(each, nginx.is_tls) for name, each in found.items()}

    def doors(self) -> list[Visit]:
        """Return a request to the server block for all other hosts; that of plain HTTP answers every client."""
        address = _first(own_addresses.plain(self.config, self.paths))
        return [self._by(Visit("nginx", address, "localhost", "/"), tls=False)] if address else []

    def _by(self, visit: Visit, tls: bool) -> Visit:
        return replace(visit, tls=tls, proxy_protocol=self.config.nginx.proxy_protocol)


def _first(addresses: Sequence[str]) -> Address | None:
    """Return where to connect for the first of these addresses."""
    return next((listen.address([address]) for address in addresses), None)


def _group_of(user: str) -> str | None:
    """Return the user's own group: nginx would take one of the user's name, which there may not be."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        return None
