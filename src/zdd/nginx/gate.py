"""The gate: before the commit, one request to each changed service through nginx must arrive at the new version."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from zdd.events import REASONS, Unproved
from zdd.host import files
from zdd.host.clock import Clock
from zdd.instances.health import grpc, request
from zdd.instances.health.request import Answer, NotHttp, Request
from zdd.instances.name import service_of
from zdd.keeper import survey
from zdd.nginx import addresses, client, untrusted
from zdd.nginx.config import pool
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import HEADER, Mark, Seen
from zdd.nginx.unreachable import SLOW, Unreachable
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest

_POLL = 0.01  # seconds between looks at connections to old instances, for as long as the pool's tail
_SURE = 2  # counts of 0 in a row: nginx may have looked up a slot just before it changed
# Seconds that all versions which are about to be replaced, and give no answer, may take together: the deploy waits for
# them once, if one of them hangs, and without an answer only the comparison in `_compare` is lost. No event tells a
# version that hangs from one that is slow.
_BEFORE = 2.0
_UNREACHABLE = (502, 504)  # nginx's own answers when it cannot reach an instance
_NO_HTTP_1 = 'the app speaks HTTP/2 alone, as gRPC does: set protocol = "grpc" (a text of your own needs grpc_pass)'
_GRPC = "nginx must pass calls on by grpc_pass, and be able to reach the socket: its worker user, its network namespace"
_HOST_REFUSED = (400, 404, 421)  # what apps answer to a Host that they do not know


class Door(NamedTuple):
    """
    One nginx, as the gate needs to know it.

    `log` is where nginx says why it cannot reach an instance. `is_ours` says that zdd has written where it listens, so
    that no answer at all is a fault. `timeouts` are each service's seconds for an answer.
    """

    mark: Mark
    log: str
    is_ours: bool
    timeouts: Mapping[str, float]


class Gate:
    """
    Asks nginx before and after the switch, and compares.

    A proof is an answer with the mark and the address of an instance of the new version. A slot leads to the new
    version from the switch on, but a pooled connection may still lead to the old one for as long as the pool's tail.
    `interrupt` is called during every wait and may raise.
    """

    def __init__(self, paths: Paths, door: Door, clock: Clock, interrupt: Callable[[], None] = lambda: None) -> None:
        self.paths = paths
        self.door = door
        self.clock = clock
        self.interrupt = interrupt
        self._before: dict[str, int] = {}
        self._services: tuple[Manifest, dict[str, str]] | None = None

    def look_before(self, visits: Sequence[Visit]) -> None:
        """Remember how the version that serves answers these requests; those that hang are not waited for."""
        left = _BEFORE
        for visit in visits:
            begun = self.clock.now()
            try:
                self._before[visit.service] = self._ask(visit, left).status
            except (OSError, NotHttp):
                left -= self.clock.now() - begun
                if left <= 0:
                    break

    def prove(
        self, target: Manifest, visits: Sequence[Visit], tails: Callable[[], Sequence[float | None]]
    ) -> list[Unproved]:
        """
        Send these requests after the switch; return what could not be proved.

        `tails` returns those of the texts that nginx's workers may run, None for a pool without a bound; it reads long
        texts, so it is called only while somebody is connected to an old instance.
        Raises Unreachable if a request surely does not arrive.
        """
        is_over = self._await_tail(target, visits, tails)
        verdicts = [self._verdict(target, visit) for visit in visits]
        if not is_over:
            verdicts = [
                verdict or unproved(visit.service, "pool") for verdict, visit in zip(verdicts, visits, strict=True)
            ]
        return [verdict for verdict in verdicts if verdict]

    def _await_tail(
        self, target: Manifest, visits: Sequence[Visit], tails: Callable[[], Sequence[float | None]]
    ) -> bool:
        """Wait until no pooled connection leads to an instance that the target leaves out; return whether it is so."""
        old, zeros, begun = _left_out(self.paths, target, {visit.service for visit in visits}), 0, self.clock.now()
        if not old:
            return True
        known: Sequence[float | None] = []
        for _ in self.clock.poll(_POLL, begun + pool.LONGEST, self.interrupt):
            zeros = 0 if _connected(self.paths, old) else zeros + 1
            if zeros == _SURE:
                return True
            known = known or (tails() if zeros == 0 else [])
            if known and self.clock.now() >= begun + max(pool.LONGEST if tail is None else tail for tail in known):
                break
        return None not in (known or tails())

    def _verdict(self, target: Manifest, visit: Visit) -> Unproved | None:
        since = files.size(self.door.log)
        try:
            answer = self._ask(visit)
        except TimeoutError:
            seconds = f"{self.door.timeouts.get(visit.service, client.TIMEOUT):g}"
            words = f"{_healthy(visit, 'does not answer')} within {seconds} s"
            raise Unreachable(words, self.logged(since), SLOW) from None
        except (OSError, NotHttp) as error:
            if self.door.is_ours and isinstance(error, request.Http2):
                raise Unreachable(_healthy(visit, "cannot read its answer"), self.logged(since), _NO_HTTP_1) from error
            if self.door.is_ours and not isinstance(error, NotHttp):
                where = f"{visit.address[0]}:{visit.address[1]}"
                raise Unreachable(
                    _healthy(visit, f"does not answer on {where} ({error})"), self.logged(since)
                ) from error
            return unproved(visit.service, "closed" if str(error) == request.CLOSED else "no-answer", str(error))
        seen = self.door.mark.read(answer.all(HEADER))
        self._require_own_answer(target, visit, answer, seen, since)
        self._compare(visit, answer)
        return self._unproved(target, visit, answer, seen)

    def _require_own_answer(
        self, target: Manifest, visit: Visit, answer: Answer, seen: Seen | None, since: int
    ) -> None:
        """Raise Unreachable for an error that nginx answers and the instance itself does not."""
        upstream = seen.status if seen and seen.status else answer.status
        failed = next((status for status in (upstream, answer.status) if status >= 500), None)
        nginx_itself = seen is not None and seen.address is None
        somebody_else = visit.guess and self._reached(target, seen) is not None
        if failed is None or nginx_itself or somebody_else or (seen is None and failed not in _UNREACHABLE):
            return
        hint = _GRPC if visit.grpc else None
        try:
            direct = self._ask_instance(target.of(visit.service)[0], visit)
        except request.Http2:
            direct, hint = None, _NO_HTTP_1
        if direct is None or direct < 500:
            raise Unreachable(_healthy(visit, f"answers {failed}"), self.logged(since), hint)

    def _compare(self, visit: Visit, answer: Answer) -> None:
        """Raise Unreachable if the app no longer accepts the host, which only a health_path would have shown."""
        before = self._before.get(visit.service)
        if before and 200 <= before < 400 and answer.status in _HOST_REFUSED:
            raise Unreachable(
                f"{visit.service}: the new version answers {answer.status} for GET {visit.path} with Host "
                f"{visit.host}, where the one before answered {before}",
                hint="the app may refuse this Host: set health_host; or ask something else: health_path, health_status",
            )

    def _unproved(self, target: Manifest, visit: Visit, answer: Answer, seen: Seen | None) -> Unproved | None:
        """Return None if the answer came from the target's instance. Raises Unreachable for that of another one."""
        if answer.status == 503 and not (seen and seen.address) and os.path.exists(self.paths.maintenance):
            return unproved(visit.service, "maintenance", f"{answer.status} for {asked(visit)}")
        if seen is None:
            return unproved(visit.service, "no-mark", asked(visit))
        if seen.address is None:
            reason = "redirect" if 300 <= answer.status < 400 else "nginx"
            return unproved(visit.service, reason, f"{answer.status} for {asked(visit)}")
        reached = self._reached(target, seen)
        if reached == visit.service:
            return None
        if visit.guess:
            return unproved(visit.service, "no-request", "nothing in the text leads to it")
        whose = f"service {reached}" if reached else f"{seen.address}, which is none of this version"
        raise Unreachable(
            f"{visit.service}: {asked(visit)} is answered by {whose}",
            hint=f"no visitor may get to {visit.service} like that: look at the hosts and paths of the services",
        )

    def _reached(self, target: Manifest, seen: Seen | None) -> str | None:
        """Return the service of the table that has answered, None if none of them has."""
        if seen is None or seen.address is None:
            return None
        if self._services is None or self._services[0] is not target:  # once, not for each of a thousand answers
            self._services = target, addresses.services(target, self.paths.current)
        return self._services[1].get(seen.address)

    def _ask(self, visit: Visit, at_most: float = math.inf) -> Answer:
        timeout = min(at_most, self.door.timeouts.get(visit.service, client.TIMEOUT))
        return client.ask(visit, self.clock, timeout, client.asking(self.door.mark), interrupt=self.interrupt)

    def _ask_instance(self, instance: Instance, visit: Visit) -> int | None:
        """Return the status of the instance's own answer to the same request, None if none. Raises request.Http2."""
        until = self.clock.now() + client.TIMEOUT
        address = self.paths.keep(instance.name) if instance.has_slot else instance.port
        try:
            connection = request.connect(address or 0, client.TIMEOUT, self.interrupt)
            left = lambda: until - self.clock.now()  # noqa: E731
            if visit.grpc:
                return grpc.ask(connection, visit.host, left, self.interrupt).status
            return request.ask(connection, Request(visit.path, visit.host), left, self.interrupt).status
        except request.Http2:
            raise
        except (OSError, NotHttp):
            return None

    def logged(self, since: int) -> list[str]:
        """Return the last lines that nginx has logged of its own errors, in the log from this byte on."""
        lines = files.tail(self.door.log, 100, since)
        return [line for line in lines if not untrusted.is_about(line)][-5:]


def unproved(service: str, reason: str, more: str = "") -> Unproved:
    """Return the event for a service of which it could not be proved that visitors reach the new version."""
    text = f"{service}: not proved that visitors get this version: {REASONS[reason]}"
    return Unproved(service=service, reason=reason, text=f"{text} ({more})" if more else text)


def asked(visit: Visit) -> str:
    """Return a visit's request in words."""
    return f"{'POST' if visit.grpc else 'GET'} {visit.path} with Host {visit.host}"


def _healthy(visit: Visit, failure: str) -> str:
    return f"{visit.service}: healthy, but nginx {failure} for {asked(visit)}"


def _left_out(paths: Paths, target: Manifest, services: set[str]) -> list[str]:
    """Return the running instances of these services that are not in the table."""
    names = [entry.removesuffix(".sock") for entry in os.listdir(paths.control) if entry.endswith(".sock")]
    return [name for name in names if name not in target.instances and service_of(name) in services]


def _connected(paths: Paths, names: Sequence[str]) -> bool:
    """Return whether anybody is connected to one of these instances."""
    answers = survey.status(map(paths.control_socket, names))
    return any(answer["connections"] for answer in answers.values())
