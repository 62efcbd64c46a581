"""What holds when somebody sets the clock back: durations are measured, and deploys are ordered by their numbers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from zdd import events, project
from zdd.cli import status as screen
from zdd.deploy import outcome
from zdd.host.lock import Lock
from zdd.host.process import Process
from zdd.instances.state import InstanceState
from zdd.operate import status, under_way

FIVE_HOURS = 5 * 3600


def test_an_instance_is_up_since_its_app_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keeper noted the time of a clock that was five hours ahead."""
    us = Process.find(os.getpid())
    noted = InstanceState("web-1", "web", False, "serving", us, since=time.time() + FIVE_HOURS)
    monkeypatch.setattr(status, "connections", lambda *_: {"web-1": 0})
    shop: Any = SimpleNamespace(config=SimpleNamespace(services=["web"]))

    (service,) = status._services(shop, None, {"web-1": noted})

    (row,) = service.instances
    assert us is not None
    assert row.since == us.started()
    assert f"up {screen.span(time.time() - us.started())}"[:4] in screen._cells(row, service, time.time(), None)[2]


def test_nothing_is_up_for_less_than_no_time() -> None:
    row = status.InstanceStatus("web-1", "serving", None, time.time() + FIVE_HOURS, 0, 0, None, None, None, None)

    assert screen._cells(row, status.ServiceStatus("web", None, [row]), time.time(), None)[2] == "up 0 s"


def test_a_lock_is_held_for_as_long_as_it_is() -> None:
    holder: dict[str, object] = {"since": time.time() + FIVE_HOURS, "monotonic": time.monotonic() - 60}

    assert ", for 60 s" in project._is_locked("shop", holder).message
    assert ", for" not in project._is_locked("shop", {"since": 1.0}).message, "of an earlier zdd: unknown"


def test_the_history_has_measured_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zdd.operate.in_place.remember", lambda *_: None)
    target: Any = SimpleNamespace(
        deploy=1, action="up", started=time.time() + FIVE_HOURS, release=None, label=None, before=None, origin=None
    )
    target.services = lambda: ["web"]
    path = str(tmp_path / "history.jsonl")
    shop: Any = SimpleNamespace(paths=SimpleNamespace(history=path), events=SimpleNamespace(steps=[]))

    outcome.write_history(shop, target, "done", 2.5)

    assert msgspec.json.decode(Path(path).read_bytes())["seconds"] == 2.5


@pytest.mark.parametrize("begun", [False, True], ids=["not yet", "begun"])
def test_a_deploy_under_way_is_no_earlier_one(tmp_path: Path, begun: bool) -> None:
    """Deploy 6, which has ended, began at a time that is still to come."""
    ahead = events.Begin(deploy=6, action="deploy", project="shop", started=time.time() + FIVE_HOURS)
    (tmp_path / "6.jsonl").write_bytes(msgspec.json.encode(ahead) + b"\n")
    if begun:
        now = events.Begin(deploy=7, action="deploy", project="shop", started=time.time() - FIVE_HOURS)
        (tmp_path / "7.jsonl").write_bytes(msgspec.json.encode(now) + b"\n")
    lock = Lock(str(tmp_path / "lock"))
    holder = {"who": "ada", "pid": os.getpid(), "command": "zddeploy deploy", "since": time.time(), "last_deploy": 6}
    lock.acquire(lambda: dict(holder), 0)
    paths = SimpleNamespace(
        lock=lock.path,
        last_logged_deploy=lambda: 7 if begun else 6,
        deploy_events=lambda number: str(tmp_path / f"{number}.jsonl"),
    )
    shop: Any = SimpleNamespace(paths=paths)

    change = under_way.look(shop)

    lock.release()
    assert change is not None
    assert change.deploy == (7 if begun else None)
