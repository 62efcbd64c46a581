"""How long a certificate's own challenge is looked for, by a clock that the test pushes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.host.test_clock import PushedClock
from zdd.acme import own_challenge
from zdd.acme.authority import Authority
from zdd.acme.failure import Failure
from zdd.conf.nginx_section import NginxSection
from zdd.interrupts import Interrupted, Interrupts

NOBODY = Failure("name", "the balancer sends nobody here", "wait")


class Asked:
    """An authority of which only the own challenge is asked; `answers` are what that finds, the last one for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, proxy_protocol: bool, *answers: Failure | None) -> None:
        self.clock, self.interrupts = PushedClock(), Interrupts()
        self.answers = list(answers)
        paths = SimpleNamespace(certbot="/nowhere", acme="/nowhere")
        project: Any = SimpleNamespace(paths=paths, clock=self.clock, interrupts=self.interrupts)
        self.authority = Authority(project, NginxSection(https="auto", proxy_protocol=proxy_protocol), [80])
        monkeypatch.setattr(own_challenge, "failure", self._failure)

    def obtain(self, host: str) -> tuple[object, float]:
        """Return what comes of it, and the seconds that it took."""
        begun = self.clock.now()
        return self.authority._unreachable(host), self.clock.now() - begun

    def _failure(self, *_: object) -> Failure | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_behind_a_balancer_its_checks_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Asked(monkeypatch, True, NOBODY, NOBODY, None).obtain("a.test") == (None, 1.0)


def test_that_wait_has_an_end_for_all_hosts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, True, NOBODY)

    assert [asked.obtain(host) for host in ("a.test", "b.test")] == [(NOBODY, 10.0), (NOBODY, 0.0)]


def test_without_a_balancer_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Asked(monkeypatch, False, NOBODY, None).obtain("a.test") == (NOBODY, 0.0)


def test_a_signal_ends_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, True, NOBODY)
    asked.interrupts.noted = "SIGINT"

    with pytest.raises(Interrupted):
        asked.obtain("a.test")
