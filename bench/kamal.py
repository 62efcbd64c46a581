"""kamal-proxy, which is in no package registry: the variable KAMAL_PROXY names its program."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.hand import run, spawn
from bench.peer import until
from tests.machine import free_port

# What its log calls the moments that other drivers mark.
_MARKS = {"Target health updated": "ready", "Deployed": "switched"}


def missing() -> str:
    """Return why it cannot run here, nothing if it can."""
    return "" if os.access(program(), os.X_OK) else "KAMAL_PROXY names no program: it is in no package registry"


def program() -> str:
    """Return the path of its program, which need not be there; folders of other commands do not matter to it."""
    return os.path.abspath(os.environ.get("KAMAL_PROXY") or "/nonexistent")


class KamalProxy:
    """A running kamal-proxy with its state in this folder, listening on this port of 127.0.0.1."""

    def __init__(self, folder: Path, port: int) -> None:
        home = str(folder)
        self.folder, self.env = folder, {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_RUNTIME_DIR": home}
        ports = ["--http-port", str(port), "--https-port", str(free_port())]
        self.process = spawn(folder, [program(), "run", *ports], **self.env)
        until(lambda: any(folder.rglob("*.sock")))

    def command(self, *arguments: str) -> str:
        """Run one of its commands; returns what the command prints."""
        return run(self.folder, program(), *arguments, **self.env)

    def deploy(self, service: str, ports: Sequence[int], *options: str) -> None:
        """Lead the service to these ports; returns when they are healthy and the old ones have drained."""
        targets = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.command("deploy", service, "--target", targets, "--health-check-path", "/", *options)

    def marks(self) -> dict[str, float]:
        """Return when, by CLOCK_MONOTONIC, the last target became healthy, and when requests were led to it."""
        ahead = time.monotonic() - time.time()
        marks = {}
        for line in (self.folder / "output.log").read_text(errors="replace").splitlines():
            event = json.loads(line) if line.startswith("{") else {}
            if (mark := _MARKS.get(event.get("msg", ""))) and event.get("state", "healthy") == "healthy":
                marks[mark] = _seconds(event["time"]) + ahead
        return marks

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:  # it waits for connections that nobody closes
            self.process.kill()
            self.process.wait()


def _seconds(text: str) -> float:
    """Return the seconds since the epoch of a time as Go writes it, with nanoseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
