"""Many instances are retired together; one whose keeper does not answer is left to its driver."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from zdd.host.process import Process
from zdd.instances.driver import Driver, Question
from zdd.instances.retirement import Retirement, retire

ANSWER = b'{"ok": true, "state": "warm"}\n'


class Fake:
    """The part of a driver that retires its instance."""

    def __init__(self, control: str | None) -> None:
        self.control = control
        self.retired: list[tuple[float, Sequence[Process]]] = []

    def retire(self, warm: float, workers: Sequence[Process]) -> None:
        self.retired.append((warm, workers))

    def retirement(self, warm: float, workers: Sequence[Process]) -> Question | None:
        pairs = [[worker.pid, worker.start_time] for worker in workers]
        return None if self.control is None else Question(self.control, {"warm": warm, "drain": 30.0, "workers": pairs})


def of(fake: Fake, warm: float, workers: Sequence[Process]) -> Retirement:
    return Retirement(cast("Driver", fake), warm, workers)


class Keepers:
    """Keepers none of which answers before all are asked."""

    def __init__(self, folder: Path, count: int) -> None:
        self.paths = [f"{folder}/{number}.sock" for number in range(count)]
        self.listeners = [socket.socket(socket.AF_UNIX) for _ in self.paths]
        for listener, path in zip(self.listeners, self.paths, strict=True):
            listener.bind(path)
            listener.listen()
            listener.settimeout(30)
        self.asked: list[dict[str, Any]] = []
        self.thread = threading.Thread(target=self._answer, daemon=True)
        self.thread.start()

    def _answer(self) -> None:
        peers = [listener.accept()[0] for listener in self.listeners]
        for peer in peers:
            self.asked.append(json.loads(peer.recv(65536)))
        for peer in peers:
            peer.sendall(ANSWER)
            peer.close()
        for listener in self.listeners:
            listener.close()


def test_all_keepers_are_asked_before_one_has_answered(tmp_path: Path) -> None:
    keepers = Keepers(tmp_path, 3)
    drivers = [Fake(path) for path in keepers.paths]

    retire([of(driver, 120.0, [Process(7, 1)]) for driver in drivers])

    keepers.thread.join(30)
    assert len(keepers.asked) == 3
    assert all(asked["op"] == "retire" and asked["warm"] == 120.0 for asked in keepers.asked)
    assert all(asked["workers"] == [[7, 1]] for asked in keepers.asked)
    assert [driver.retired for driver in drivers] == [[], [], []]


def test_one_without_a_keeper_or_with_a_dead_one_is_retired_by_its_driver(tmp_path: Path) -> None:
    classic, dead = Fake(None), Fake(f"{tmp_path}/nobody.sock")

    retire([of(classic, 0.0, []), of(dead, 5.0, [Process(7, 1)])])

    assert classic.retired == [(0.0, [])]
    assert dead.retired == [(5.0, [Process(7, 1)])]


def test_nothing_to_retire_asks_nobody() -> None:
    retire([])
