"""
Renewal: request the certificates that are due, and put them into nginx's text.

The authority is asked while deploys go on: only the change of nginx's text takes the project's lock. If a step
fails or the command is killed, the former certificates stay in force; the next renewal uses what certbot has obtained.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from zdd.acme import attempts, certificates, failure
from zdd.acme.attempts import Attempt
from zdd.acme.authority import Authority
from zdd.acme.certificates import Held
from zdd.acme.failure import Failure
from zdd.claims import who
from zdd.errors import Locked, NeedsPerson, ZddError, as_zdd_error
from zdd.events import Proxy
from zdd.host import files
from zdd.host.lock import Busy, Lock
from zdd.interrupts import Interrupted
from zdd.nginx.certificates import choice
from zdd.nginx.certificates.store import Pair
from zdd.nginx.config import listen
from zdd.project import Project

Changing = Callable[[], AbstractContextManager[object]]
"""Takes the project's lock for a change of nginx's text."""

_LOCK_PATIENCE = 600.0  # seconds for a deploy that goes on when certificates have come


class Outcome(NamedTuple):
    """
    The host's certificate after a renewal; `failed` is the last try if the certificate was due and none came.

    `is_new`: this renewal obtained it. `waits`: the authority was not asked, because the last try is too recent.
    """

    held: Held
    failed: Attempt | None = None
    is_new: bool = False
    waits: bool = False


class Renewal:
    """
    One look at all hosts of the project, as it was deployed; the authority is today's, as far as today's names one.

    Where what was deployed has no certificates by ACME, nothing is done: nginx would not answer the challenges.

    With `at_once` the pause after a failure is skipped.
    """

    def __init__(self, project: Project, changing: Changing, at_once: bool) -> None:
        self.project = project
        self.changing = changing
        self.at_once = at_once
        self.paths = project.paths
        self.store = choice.store(project.paths)
        self.attempts = attempts.of(project.paths)
        deployed, today = in_force(project).config, project.config.nginx
        self.hosts = choice.hosts(deployed) if deployed.nginx.https == "auto" else []
        addresses = (listen.address([address]) for address in deployed.nginx.listen)
        asked = today if today.https == "auto" else deployed.nginx
        self.authority = Authority(project, asked, [address[1] for address in addresses if address])
        self.failed: dict[str, Attempt] = {}
        self.waiting: set[str] = set()

    def run(self) -> list[Outcome]:
        """
        Request all certificates that are due, one after the other, and put them in force; return each host's outcome.

        Raises Locked if another renewal runs, and Interrupted. A host's failure is in its outcome.
        """
        if not self.hosts:
            return []
        new: dict[str, Pair] = {}
        if self._due() or not self._is_in_use():
            with self._alone():
                new = self._obtained(self._due())
                if new or not self._is_in_use():
                    self._use(new)
        self.attempts.forget(*(set(self.attempts.all()) - set(self.hosts)))
        return [
            Outcome(
                certificates.held(self.store, host),
                self.failed.get(host),
                is_new=host in new and host not in self.failed,
                waits=host in self.waiting,
            )
            for host in self.hosts
        ]

    def _due(self) -> list[str]:
        """Return the hosts whose certificate is due, or must come from another authority."""
        now = time.time()
        return [
            host
            for host in self.hosts
            if certificates.held(self.store, host).is_due(now) or self.authority.is_another(host)
        ]

    def _obtained(self, due: list[str]) -> dict[str, Pair]:
        """Return the pairs that were issued. After a failure that is not about one name, no other is requested."""
        new: dict[str, Pair] = {}
        for_all: Failure | None = None
        for host in due:
            self.project.interrupts.check()
            if not self.at_once and (last := self.attempts.waits(host, time.time())):
                self.failed[host] = last
                self.waiting.add(host)
                continue
            found = for_all or self.authority.obtain(host)
            if isinstance(found, Pair):
                new[host] = found
                continue
            self._fail(host, found)
            if found.kind not in failure.ABOUT_THE_NAME:
                for_all = found
        return new

    def _is_in_use(self) -> bool:
        """Return whether nginx's text names the certificates in force; after a killed command it may not."""
        if self.project.tables.current() is None:
            return True
        return choice.is_in_use(in_force(self.project).config, self.paths)

    def _use(self, new: Mapping[str, Pair]) -> None:
        """Put the pairs in force and bring nginx to their text; if nginx refuses it, restore the former pairs."""
        try:
            with self.changing():
                if self.project.tables.unfinished():
                    raise NeedsPerson("a deploy was interrupted", hint="`zddeploy recover` finishes or undoes it")
                self._install(new)
        except Interrupted:
            raise
        except (ZddError, OSError) as error:
            why = as_zdd_error(error)
            hint = why.hint or "put that right, then `zddeploy certificates renew`"
            for host in new or self.hosts:
                self._fail(host, Failure("nginx", f"the new certificate is not in use: {why.message}", hint))
        else:
            self.attempts.forget(*new)

    def _install(self, new: Mapping[str, Pair]) -> None:
        project, text = in_force(self.project), files.read(self.paths.nginx_conf) or ""
        current, before = project.tables.current(), {host: self.store.current(host) for host in new}
        try:
            for host, pair in new.items():
                self.store.install(host, pair, keep=[text])
            if current:
                done = project.proxy.mend(current.deploy, project.proxy.text(current))
                project.events.send(Proxy(subject="nginx", text=done))
        except BaseException:
            for host, digest in before.items():
                self.store.go_back(host, digest)
            raise

    def _fail(self, host: str, why: Failure) -> None:
        now = time.time()
        try:
            self.failed[host] = self.attempts.failed(host, why, now)
        except OSError:  # a full disk: the failure is reported, but not recorded
            self.failed[host] = Attempt(now, 1, now, why.kind, why.cause, why.hint)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of certificates. Raises Locked if another renewal holds it."""
        files.open_folder(self.paths.certbot, 0o700, never=0o077)
        lock = Lock(f"{self.paths.certbot}/lock")
        try:
            timeout = self.project.config.zdd.lock_timeout
            lock.acquire(lambda: {"who": who(), "pid": os.getpid()}, timeout, self.project.interrupts.check)
        except Busy as busy:
            holder = f"{busy.holder.get('who', 'somebody')} (process {busy.holder.get('pid', 'unknown')})"
            what = f"{holder} is asking for certificates of {self.project.name}"
            raise Locked(what, hint="wait, or let zddeploy wait: --lock-timeout 60s") from None
        try:
            yield
        finally:
            lock.release()


def in_force(project: Project) -> Project:
    """Return the project with the configuration of the deploy that serves, from which nginx's text is made."""
    return project.as_deployed(project.tables.current())


def patient(project: Project) -> Project:
    """Return the project with a longer wait for a running deploy: issued certificates must get into the text."""
    return project.patient(_LOCK_PATIENCE)
