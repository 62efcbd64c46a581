"""A certificate authority, and how zdd obtains one certificate from it: our own challenge first, then certbot."""

from __future__ import annotations

import time
from collections.abc import Sequence

from zdd.acme import certbot, failure, own_challenge
from zdd.acme.accounts import Accounts
from zdd.acme.certbot import Account, Certbot
from zdd.acme.failure import Failure
from zdd.acme.lineage import Folders
from zdd.conf.nginx_section import NginxSection
from zdd.errors import UsageError, of_system
from zdd.host.command import Result
from zdd.nginx.certificates.store import Pair
from zdd.project import Project

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

_BALANCER, _PAUSE = 10.0, 0.5  # seconds: HAProxy's own pace is two checks in 2 s each


class Authority:
    """The authority that a section [nginx] names; `ports` are those that the project's nginx listens on."""

    def __init__(self, project: Project, nginx: NginxSection, ports: Sequence[int]) -> None:
        self.project = project
        self.paths = project.paths
        self.nginx = nginx
        self.account = Account(server(nginx), nginx.acme_email)
        self.folders = Folders(project.paths.certbot, project.paths.acme)
        self._ports = ports
        self._certbot: Certbot | None = None
        self._until: float | None = None  # when a balancer should know that nginx runs

    def is_another(self, host: str) -> bool:
        """Return whether the host's certificate is known to come from another authority, such as a staging server."""
        return self.folders.server(host) not in (None, self.account.server)

    def obtain(self, host: str) -> Pair | Failure:
        """
        Return a new pair for the host, or the failure.

        If a killed command has left a new pair with certbot, return that and ask nobody. Raises Interrupted.
        """
        try:
            return self._had(host) or self._unreachable(host) or self._asked(host)
        except OSError as error:
            return Failure("disk", f"{host}: {of_system(error)}", "put that right, then `zddeploy certificates renew`")

    def _had(self, host: str) -> Pair | None:
        return None if self.is_another(host) else self.folders.newest(host, time.time())

    def _unreachable(self, host: str) -> Failure | None:
        """
        Return why our own challenge cannot be had by the host's name; None if it can.

        A balancer before this nginx sends nobody here until its own checks have seen that nginx has started: all hosts
        together wait for that.
        """
        behind, clock = self.nginx.proxy_protocol, self.project.clock
        if self._until is None:
            self._until = clock.now() + (_BALANCER if behind else 0)
        found = None
        for _ in clock.poll(_PAUSE, self._until, self.project.interrupts.check):
            if not (found := own_challenge.failure(host, self.paths.acme, self._ports, clock, behind)):
                return None
        return found

    def _asked(self, host: str) -> Pair | Failure:
        try:
            program = self._certbot = self._certbot or certbot.find(self.project.commands)
        except UsageError as error:
            return Failure("missing", error.message, f"{error.hint}, then `zddeploy certificates renew`")
        self._introduce(program)
        begun = time.time()
        with self.project.events.timed("certificate", f"certificate for {host}"):
            printed = program.issue(host, self.account, self.folders, self._run)
        if printed is not None:
            root, answer = self.folders.root, self.folders.answer(begun)
            return failure.of(printed, host, self.account.server, root, time.time(), answer)
        return self.folders.newest(host, time.time()) or _useless(host, self.account.server)

    def _introduce(self, program: Certbot) -> None:
        """Say whose terms are accepted, before the first request; update the account if the address has changed."""
        known = Accounts(f"{self.paths.certbot}/accounts.json")
        if not known.knows(self.account.server):
            self.project.events.notice(terms(self.account.server))
        elif not known.has_moved(self.account):
            return
        elif printed := program.tell_email(self.account, self.folders, self._run):
            self.project.events.notice(f"{self.account.server} keeps the former acme_email: {failure.summary(printed)}")
        known.learn(self.account)

    def _run(self, argv: Sequence[str]) -> Result:
        """Run certbot in our environment, so that it uses REQUESTS_CA_BUNDLE and the configured HTTP proxy."""
        interrupt = self.project.interrupts.check
        return self.project.commands.run(argv, self.folders.root, timeout=certbot.PATIENCE, interrupt=interrupt)


def server(nginx: NginxSection) -> str:
    """Return the URL of the directory of the authority that a section [nginx] names."""
    return nginx.acme_server or LETS_ENCRYPT


def terms(server: str) -> str:
    """Return a sentence that says whose terms `https = "auto"` accepts."""
    if server == LETS_ENCRYPT:
        return 'https = "auto" accepts the terms of service of Let\'s Encrypt, https://letsencrypt.org/repository/'
    return f'https = "auto" accepts the terms of service of the certificate authority at {server}'


def _useless(host: str, server: str) -> Failure:
    """Return the failure of an issued certificate whose dates or names are wrong."""
    cause = f"{server} has issued a certificate that is of no use for {host} at {failure.utc(time.time())}"
    hint = "set the clock (`timedatectl`) if it is wrong, then `zddeploy certificates renew`"
    return Failure("clock", cause, hint)
