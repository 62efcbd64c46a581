"""Requests through nginx: which ones reach each service, and what they prove before and after a switch."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from zdd.events import Unproved
from zdd.host import files
from zdd.nginx.base import NginxBase
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import Seen
from zdd.routing.manifest import Manifest

if TYPE_CHECKING:
    from zdd.nginx.gate import Gate

_DOORS = 5  # server blocks that zdd asks for the mark; all blocks of one text agree
_NOT_SAID = "no health_path says what to ask for"


class AskedNginx(NginxBase, ABC):
    """An nginx that answers visitors, and the gate, which asks as they do."""

    @abstractmethod
    def requests(self, services: Sequence[str]) -> dict[str, Visit | str]:
        """Return a request that reaches each of these services through nginx, or why none is known."""

    @abstractmethod
    def doors(self) -> list[Visit]:
        """Return requests to server blocks that may show the mark, as far as they are known."""

    @cached_property
    def gate(self) -> Gate:
        """What asks nginx before and after the switch."""
        from zdd.nginx import client  # here and below, because only what changes something asks nginx
        from zdd.nginx.gate import Door, Gate

        services = self.config.services.items()
        timeouts = {name: max(client.TIMEOUT, service.health_timeout) for name, service in services}
        return Gate(self.paths, Door(self.mark, self.error_log, self.is_ours, timeouts), self.clock, self.interrupt)

    def look_before(self, target: Manifest, before: Manifest | None) -> None:
        """Remember how the version that serves answers, for services whose health request leaves that open."""
        changed = target.changed(before) if before else []
        served = set(before.services()) if before else set()
        visits = [visit for visit in self.visits(changed) if visit.service in served]
        self.gate.look_before([visit for visit in visits if not self.config.services[visit.service].health_path])

    def check(self, target: Manifest, before: Manifest | None) -> list[Unproved]:
        changed = target.changed(before)
        text, kept = self.file.text() or "", files.read(self.kept(target.deploy))
        text_before = (json.loads(kept)["text"] or "") if kept else ""
        everywhere = kept is None or text_before != text
        from zdd.nginx import gate

        texts = {text, text_before}
        asked = self._known_requests(name for name in target.services() if everywhere or name in changed)
        visits = [request for request in asked.values() if isinstance(request, Visit)]
        unproved = []
        if target.static:
            from zdd.nginx import static_gate

            unproved = static_gate.prove(self.gate, target, visits, self.mark.digest(text))
            visits = [visit for visit in visits if visit.service not in target.static]
        return [
            *unproved,
            *self.gate.prove(target, visits, lambda: self.tails.of(texts, self.binary.version, self.workers())),
            *(gate.unproved(name, "no-request", why) for name, why in asked.items() if isinstance(why, str)),
        ]

    def visits(self, services: Sequence[str]) -> list[Visit]:
        return [request for request in self.requests(services).values() if isinstance(request, Visit)]

    def seen(self) -> Seen | None:
        """Return the mark of one of nginx's answers; None if no answer shows it."""
        from zdd.nginx import client

        looks = (client.seen(visit, self.mark, self.clock) for visit in self.doors()[:_DOORS])
        return next((seen for seen in looks if seen), None)

    def unasked(self) -> dict[str, str]:
        return {name: why for name, why in self._known_requests(self.config.services).items() if isinstance(why, str)}

    def _known_requests(self, services: Iterable[str]) -> dict[str, Visit | str]:
        """Return for each of these services but workers a request that reaches it, or why none is known."""
        known = self.config.services  # a table may have services that the configuration no longer has
        asked = [name for name in services if name in known and not known[name].is_worker]
        return dict.fromkeys(asked, _NOT_SAID) | self.requests(asked)
