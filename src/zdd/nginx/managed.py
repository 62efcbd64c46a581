"""The nginx that zdd runs, with a text of which zdd writes all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from zdd.conf.schema import Config
from zdd.errors import DeployFailed, UsageError
from zdd.finding import Finding, error
from zdd.host import process, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx import conf_file, foreseen, ports, words
from zdd.nginx.asked import AskedNginx
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.config import include, listen, maintenance, parse
from zdd.nginx.config.listen import Visit
from zdd.nginx.process import complaints, master, replaced, running, sharing
from zdd.nginx.process.master import Answer
from zdd.nginx.process.nginx import NginxProcess
from zdd.nginx.proxy import Check, MaintenanceCheck, proceed
from zdd.nginx.text import own_addresses
from zdd.nginx.text.managed import ManagedText
from zdd.nginx.users import uid_of
from zdd.paths import Paths
from zdd.routing.manifest import Manifest
from zdd.routing.tables import RoutingTables

_NOTHING = ""  # the text for a table of which nginx serves nothing
_PER_REQUEST = 2  # connections that a request costs nginx: the client's and the one to the app


class ManagedNginx(AskedNginx):
    """nginx with the user's template, rendered beside itself, or zdd's own text below S. zdd starts it if need be."""

    is_ours = True

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock, check: Check = proceed) -> None:
        super().__init__(config, paths, commands, clock, check)
        self.written = self._text()
        self.conf_file = paths.nginx_conf
        self.pid_file = self.written.pid_file
        self.error_log = paths.nginx_log

    def _text(self) -> ManagedText:
        """Return the one of the two texts that the configuration chooses."""
        if self.config.nginx.template:
            from zdd.nginx.text.template import TemplateText  # here, because a project needs one of the two

            return TemplateText(self.config, self.paths, lambda: self.binary, lambda: self.mark)
        from zdd.nginx.text.own import OwnText

        return OwnText(self.config, self.paths, lambda: self.binary, lambda: self.mark)

    @property
    def routes(self) -> bool:
        return self.written.routes

    @property
    def is_needed(self) -> bool:
        return self.written.is_needed

    @property
    def read_timeout(self) -> float | None:
        return self.written.read_timeout

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
            self.written.prefix,
            self.commands,
            self.clock,
            unit=unit,
            digest=self.mark.digest,
            look=self.seen,
            interrupt=self.interrupt,
        )

    def require(self) -> None:
        if not self.is_needed:
            return
        _ = self.binary.version
        self.written.require()
        ports.require_here(self._said(), self.processes(), self.binary.path)
        super().require()

    def require_change(self) -> None:
        loaded = parse.parse(self.file.text() or "") if self.serves() else []
        addresses, own = self.listen(), [*self.processes(), *self._unrecorded()]
        ports.require(self._said(), listen.sockets(loaded), own, self.binary.path)
        ports.require_bindable(addresses, ports.bound(addresses, own) or listen.sockets(loaded))
        ports.require_families(self.written.of_both_families(), listen.of_both_families(loaded), addresses, own)
        super().require_change()

    def text(self, target: Manifest) -> str:
        return self.written.text(target) if self.written.is_needed_for(target) else _NOTHING

    def runs(self, text: str) -> bool:
        return text == _NOTHING or self.process.runs(text)

    def apply(self, deploy: int, text: str) -> str:
        return super().apply(deploy, text) if text != _NOTHING else "not needed: no service gets requests"

    def mend(self, deploy: int, text: str) -> str:
        if self.master() is None and self.serves():
            self.file.doubt()  # so that it is started on the sockets of its workers, though the text is the same
        return super().mend(deploy, text)

    def rehearse(self, target: Manifest) -> None:
        if not foreseen.lacks_ports(target) and not self.runs(text := self.text(target)):
            self._try(self.process.test, text)

    def change(self, text: str) -> str:
        return self._try(self.process.apply, text)

    def _try(self, act: Callable[[str], sharing.Done], text: str) -> sharing.Done:
        self.written.make_folder()
        try:
            return act(text)
        except complaints.ProxyError as error:
            error.hint = self.written.cause_in(text, error.message) or error.hint
            raise

    def change_back(self, text_before: str | None, stop: bool) -> None:
        self.process.restore(text_before, stop)

    def open_ports(self) -> None:
        words.keep(self.paths, self.mark)
        self.about.keep()
        self.change(self.text(foreseen.table(self.config) or Manifest(0, "up", {})))

    def which(self) -> Answer:
        return master.of_ours(self.pid_file, self.conf_file)

    def serves(self) -> bool:
        """Return whether nginx answers, be it by workers whose master was killed."""
        return self.process.serves()

    def processes(self) -> list[Process]:
        """Return all its processes, also workers whose master was killed."""
        found = self.master()
        if found is None and not self.is_needed:  # then there may be no nginx program either
            return []
        return [*running.workers(found, shutting_down=True), found] if found else self.process.orphans()

    def _unrecorded(self) -> list[Process]:
        """Return masters that were started with our text although the pid file does not name them."""
        ours = f" -c {self.conf_file}"
        return [found for found in master.visible() if ours in process.title(found.pid)]

    def quit(self) -> list[Process]:
        return self.process.quit() if self._has_run() else []

    def rest(self, current: Manifest) -> None:
        if self.master() and not self.written.is_needed_for(current):
            self.process.quit()

    def stop(self) -> None:
        if self._has_run():
            self.process.stop(self.config.nginx.proxy_read_timeout)

    def problem(self) -> str | None:
        current = RoutingTables(self.paths).current()
        if current and not self.written.is_needed_for(current):
            return None
        if self.master():
            return self.altered()
        if self.serves():
            return "nginx's master process has died; its workers serve on: the next reload replaces them"
        return "nginx does not run: `zddeploy` starts it"

    def listen(self) -> list[str]:
        return self.written.listen()

    def _said(self) -> dict[str, str]:
        """Return its addresses, each with the key that it stands in."""
        return {address: own_addresses.key_of(address, self.config, self.paths) for address in self.listen()}

    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        return self.written.requests(services)

    def doors(self) -> list[Visit]:
        return self.written.doors()

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:  # noqa: ARG002
        """
        Return how to see that each server block that looks for the page answers with it.

        Raises UsageError where the template does not look for it, DeployFailed where the text in place does not yet.
        """
        if not self.is_needed:
            raise UsageError(
                f"no service of {self.config.project} gets requests, so there is nothing to answer with a page",
                hint="`zddeploy down` stops its workers",
            )
        self.written.require_page()
        file = self.paths.maintenance
        text = include.expand(self.file.text() or "", self.conf_file, conf_file.included).directives
        visits, unasked = maintenance.visits(text, file)
        if not visits and not unasked:
            raise DeployFailed(f"nginx does not look for {file} yet", hint="`zddeploy` brings it to the text that does")
        return MaintenanceCheck(visits, [f"the server {name}" for name in unasked], None)

    def limits(self) -> Sequence[tuple[int, str]]:
        """Return how many requests nginx itself has room for."""
        text = self.written.directives()
        connections = parse.number(text, "events", "worker_connections", default=512)
        is_auto = parse.value(text, "worker_processes", default="1") == "auto"
        count = (os.cpu_count() or 1) if is_auto else parse.number(text, "worker_processes", default=1)
        return [(connections * count // _PER_REQUEST, "nginx worker_connections")]

    def notices(self) -> Iterator[Finding]:
        return self.written.notices()

    def certificates(self) -> list[CertificateState]:
        return self.written.certificates()

    def certificate_findings(self, new: bool = False) -> Iterator[Finding]:
        return self.written.certificate_findings(new)

    def text_findings(self) -> Iterator[Finding]:
        return self.written.findings()

    def worker_users(self) -> list[int]:
        """Return the user that its text names, ours unless we are root, and those that its workers run as now."""
        now = self.whereabouts().users()
        if not self.is_needed:
            return now
        meant = uid_of(self.written.worker_user()) if os.geteuid() == 0 else os.geteuid()
        return sorted({meant, *now})

    def findings(self) -> Iterator[Finding]:
        """Look whether its program was replaced, and whether its text was changed."""
        yield from replaced.findings(self.whereabouts(), self.binary)
        if altered := self.altered():
            yield error(altered, "nginx may run another text than zdd's", "`zddeploy up`")

    def _has_run(self) -> bool:
        return self.master() is not None or os.path.exists(self.conf_file)
