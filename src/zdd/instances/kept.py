"""An instance that a keeper answers for, or did until the keeper died."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import msgspec

from zdd.conf.schema import RunService
from zdd.host import files, process, sock_diag
from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.instances.health.verdict import Asked
from zdd.keeper import client
from zdd.paths import Paths

KEEPER_TIMEOUT = 10.0  # seconds a keeper may take beyond the app's own time; it needs some 30 ms to start
_POLL = 0.01


class Kept:
    """Letting such an instance go, by its name alone: its service may have left the configuration."""

    def __init__(self, name: str, paths: Paths, clock: Clock) -> None:
        self.name = name
        self.paths = paths
        self.clock = clock
        self.control = f"{paths.control}/{name}.sock"
        self.record_path = f"{paths.control}/{name}.json"

    def record(self) -> dict[str, Any]:
        """Return what its keeper was told at its start; empty when that is gone."""
        return files.read_object(self.record_path)

    def status(self) -> dict[str, Any]:
        """Return what its keeper knows of it; empty when there is none."""
        try:
            return client.ask(self.control, "status")
        except client.Gone:
            return {}

    def as_started(self, service: RunService) -> RunService:
        """Return the service with the health request by which the instance was proved, whatever is asked today."""
        try:
            asked = msgspec.convert(self.record().get("asked"), Asked)
        except msgspec.ValidationError:  # an older zddeploy started it
            return service
        return msgspec.structs.replace(service, **msgspec.structs.asdict(asked))

    def app(self) -> Process | None:
        """Return the app's process if it lives."""
        app = client.pids(self.paths.control, self.name).app
        return app if app and app.alive() else None

    def retire(self, warm: float, workers: list[Process]) -> None:
        """
        Have the keeper keep it warm for some seconds, drain it and stop it; returns at once.

        An app whose keeper died has nobody else to drain it: that is done here, and waited for.
        """
        drain = self.record().get("drain_timeout", 30.0)
        pairs = [[worker.pid, worker.start_time] for worker in workers]
        try:
            client.ask(self.control, "retire", warm=warm, drain=drain, workers=pairs)
        except client.Gone:
            self._drain(drain, workers)
            self.finish()

    def rest(self, at_most: float, way_back: bool) -> str | None:
        """
        Have the keeper drain the app and stop it, but stay; returns at once, with the reason where it does not.

        An app whose keeper died is stopped here, and cannot be started again.
        """
        drain = min(self.record().get("drain_timeout", 30.0), at_most)
        try:
            answer = client.ask(self.control, "rest", drain=drain, way_back=way_back)
        except client.Gone:
            self._drain(drain, [])
            self.finish()
            return None
        going = answer["ok"] or answer.get("state") in ("draining", "stopping")
        return None if going else str(answer.get("error"))

    def await_rest(self, interrupt: Callable[[], None]) -> int:
        """
        Wait until it rests, or is gone; returns how many connections were cut. `interrupt` may raise.

        Raises TimeoutError when even killing it took too long.
        """
        deadline = self.clock.now() + self.longest_stop()
        while self.clock.now() < deadline:
            interrupt()
            try:
                status = client.ask(self.control, "status", brief=True)
            except client.Gone:
                return 0
            if status["state"] not in ("draining", "stopping"):
                return int(status["cut"])
            self.clock.sleep(_POLL)
        raise TimeoutError(f"{self.name} cannot be stopped, not even by SIGKILL")

    def start(self) -> bool:
        """Have the keeper start the app that is held or rests; True when it runs, or will."""
        try:
            return bool(client.ask(self.control, "start")["ok"])
        except client.Gone:
            return self.app() is not None

    def unretire(self) -> bool:
        """Have it serve again; False when it is draining already, or gone."""
        return self._ask("unretire")

    def pause(self, seconds: float) -> bool:
        """Have its requests wait, at most this long; False when they cannot."""
        return self._ask("pause", seconds=seconds)

    def resume(self) -> bool:
        """Let them in; False when they had not to wait."""
        return self._ask("resume")

    def stop(self) -> None:
        """Stop it now, without draining; returns when it is gone."""
        try:
            client.ask(self.control, "stop")
        except client.Gone:
            pass
        else:
            self.await_gone(self._stop_timeout() + KEEPER_TIMEOUT)
        self.finish()

    def await_gone(self, seconds: float) -> bool:
        """Wait until its keeper has ended, at most this long; True when it has."""
        deadline = self.clock.now() + seconds
        while True:
            try:
                client.ask(self.control, "status", brief=True)
            except client.Gone:
                return True
            if self.clock.now() >= deadline:
                return False
            self.clock.sleep(_POLL)

    def finish(self) -> None:
        """
        End what a dead keeper has left: the app and all below it, the socket, the records.

        A keeper that lives and only does not answer is killed before that: it would start its app again.
        """
        if silent := client.pids(self.paths.control, self.name).keeper:
            process.end([silent], signal.SIGKILL, 1.0, self.clock.now)
        app = self.app()
        if app:
            below = [found for pid in process.descendants(app.pid) if (found := Process.find(pid))]
            stop_signal = self.record().get("stop_signal", signal.SIGTERM)
            process.end([app], stop_signal, self._stop_timeout(), self.clock.now)
            process.end(below, signal.SIGKILL, 1.0, self.clock.now)
        client.remove(self.paths.control, self.paths.instance(self.name), self.name)

    def connections(self) -> int:
        """Count the connections to it, here and in whatever network namespace its name is known."""
        path = self.paths.keep(self.name)
        port = client.pids(self.paths.control, self.name).port
        if port is not None:
            return sock_diag.connections_to_port(port)
        return sock_diag.connections_to(sock_diag.file_of(path)) or sock_diag.connections_by_name(path, os.getpid())

    def _drain(self, seconds: float, workers: list[Process]) -> None:
        deadline = self.clock.now() + seconds
        for worker in workers:
            worker.wait(deadline - self.clock.now())
        while self.connections() and self.clock.now() < deadline:
            self.clock.sleep(_POLL)

    def _ask(self, op: str, **args: float) -> bool:
        try:
            return bool(client.ask(self.control, op, **args)["ok"])
        except client.Gone:
            return False

    def longest_stop(self) -> float:
        """Return the seconds that draining and stopping it can take at most."""
        return float(self.record().get("drain_timeout", 30.0)) + self._stop_timeout() + KEEPER_TIMEOUT

    def _stop_timeout(self) -> float:
        return float(self.record().get("stop_timeout", 10.0))
