"""A certificate authority, and how one certificate is had from it: our own challenge first, then certbot."""

from __future__ import annotations

import time
from collections.abc import Sequence

from zdd.acme import certbot, failure, own_challenge
from zdd.acme.certbot import LETS_ENCRYPT, Certbot
from zdd.acme.failure import Failure
from zdd.acme.lineage import Folders
from zdd.errors import UsageError, of_system
from zdd.host import files
from zdd.nginx.certificate_store import Pair
from zdd.project import Project


class Authority:
    """The authority that the project's configuration of today names; `ports` are those that its nginx listens on."""

    def __init__(self, project: Project, ports: Sequence[int]) -> None:
        self.project = project
        self.paths = project.paths
        self.server = project.config.nginx.acme_server or LETS_ENCRYPT
        self.folders = Folders(project.paths.certbot, project.paths.acme)
        self._ports = ports
        self._certbot: Certbot | None = None

    def is_another(self, host: str) -> bool:
        """Return whether the host's certificate is known to come from another authority, such as a staging server."""
        return self.folders.server(host) not in (None, self.server)

    def obtain(self, host: str) -> Pair | Failure:
        """
        Return a new pair for the host, or why there is none.

        One that certbot has already, since a command was killed, is taken without asking. Raises Interrupted.
        """
        try:
            return self._had(host) or self._unreachable(host) or self._asked(host)
        except OSError as error:
            return Failure("disk", f"{host}: {of_system(error)}", "put that right, then `zddeploy certificates renew`")
        except UsageError as error:
            return Failure("certbot", error.message, error.hint or "")

    def _had(self, host: str) -> Pair | None:
        return None if self.is_another(host) else self.folders.newest(host, time.time())

    def _unreachable(self, host: str) -> Failure | None:
        return own_challenge.failure(host, self.paths.acme, self._ports, self.project.clock)

    def _asked(self, host: str) -> Pair | Failure:
        if self._certbot is None:
            self._certbot = certbot.find(self.project.commands)
            self._accept_terms()
        email, commands, check = (
            self.project.config.nginx.acme_email,
            self.project.commands,
            self.project.interrupts.check,
        )
        with self.project.events.timed("certificate", f"certificate for {host}"):
            printed = certbot.ask(self._certbot, self.folders, host, self.server, email, commands, check)
        if printed is not None:
            return failure.of(printed, host, self.server, time.time(), self.folders.answer())
        return self.folders.newest(host, time.time()) or _useless(host, self.server)

    def _accept_terms(self) -> None:
        """Say, before the first request to an authority, that its terms are accepted."""
        told = f"{self.paths.certbot}/terms"
        known = (files.read(told, "replace") or "").splitlines()
        if self.server not in known:
            self.project.events.notice(terms(self.server))
            files.write(told, "\n".join([*known, self.server, ""]), mode=0o600)


def terms(server: str) -> str:
    """Return whose terms are accepted by `https = "auto"`, in a sentence."""
    if server == LETS_ENCRYPT:
        return 'https = "auto" accepts the terms of service of Let\'s Encrypt, https://letsencrypt.org/repository/'
    return f'https = "auto" accepts the terms of service of the certificate authority at {server}'


def _useless(host: str, server: str) -> Failure:
    """Return the failure of a certificate that came but is not worth having: its dates or names are wrong."""
    cause = f"{server} has issued a certificate that is of no use for {host} at {failure.utc(time.time())}"
    hint = "set the clock (`timedatectl`) if it is wrong, then `zddeploy certificates renew`"
    return Failure("clock", cause, hint)
