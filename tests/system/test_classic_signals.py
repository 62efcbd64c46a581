"""Ctrl-C, SIGTERM and a terminal that goes away, in the middle of a deploy."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .classic import ClassicProject, light_load


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_deploy_is_undone_at_once(classic: ClassicProject, number: signal.Signals) -> None:
    classic.zddeploy()
    classic.hold_starts()
    before = classic.traces()

    with light_load(classic), classic.deploying() as deploy:
        deploy.send_signal(number)
        assert deploy.wait(60) == 1
        said = deploy.said()

    assert f"interrupted by {number.name}" in said
    assert "deploy 1 still serves" in said
    assert classic.traces() == before


def test_a_second_interrupt_does_not_disturb_the_undoing(classic: ClassicProject) -> None:
    classic.zddeploy()
    stubborn = "sh -c 'trap \"\" TERM; echo held; while :; do sleep 0.05; done'"
    classic.configure(web={"start": stubborn, "stop_timeout": "2"})
    before = classic.traces()

    with classic.deploying() as deploy:
        for _ in range(20):
            deploy.send_signal(signal.SIGINT)
            time.sleep(0.01)
        assert deploy.wait(60) == 1

    assert classic.traces() == before


def test_a_deploy_outlives_its_terminal(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()
    classic.release("2")

    with classic.deploying() as deploy:
        deploy.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            deploy.wait(0.5)
        classic.let_start()
        assert deploy.wait(60) == 0

    assert "web 2" in classic.get()


def test_services_start_with_the_signals_as_they_are_by_default(classic: ClassicProject) -> None:
    classic.zddeploy()

    status = Path(f"/proc/{classic.pid()}/status").read_text()
    mask = int(re.search(r"SigIgn:\s+(\w+)", status)[1], 16)  # type: ignore[index]
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        assert not mask & 1 << number - 1, f"{number.name} is ignored"
