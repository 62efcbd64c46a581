"""The project that the demo deploys: a folder below /tmp, like a user's own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from zdd.errors import NeedsPerson, ZddError

BROKEN = 4  # the release that must fail

_BIN, _PYTHON = os.path.split(sys.executable)
if os.path.realpath(f"{_BIN}/python3") == os.path.realpath(sys.executable):
    _PYTHON = "python3"  # shorter than python3.11

# Shown to the user; the rest of the file separates the demo from other projects here.
SERVICE = f"""\
[service.web]
run = "{_PYTHON} app.py"
health_path = "/"
drain_timeout = "5m"  # for WebSockets, which stay connected
"""
_REST = """
[nginx]
listen = "127.0.0.1:{port}"

[zdd]
project = "demo"
state_dir = "S"
runtime_dir = "R"
"""

_POLL = 0.1  # seconds


@dataclass(frozen=True)
class Run:
    """One run of zddeploy: its times (CLOCK_MONOTONIC), exit code, events on stdout and lines on stderr."""

    begun: float
    ended: float
    code: int
    events: list[dict[str, Any]]
    errors: list[str]

    @property
    def seconds(self) -> float:
        """How long the user waited."""
        return self.ended - self.begun

    @property
    def outcome(self) -> str:
        """The outcome of the deploy: done, undone or failed."""
        return next((str(event["outcome"]) for event in self.events if event["event"] == "result"), "failed")

    def part(self, event: str, **fields: str) -> float:
        """Return the seconds that a part of it took, 0 if there was no such event."""
        wanted = {"event": event, **fields}.items()
        return next((float(line["seconds"]) for line in self.events if wanted <= line.items()), 0.0)


class Project:
    """Exists during the context; leaves neither a process nor a file."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="zdd-demo-", dir="/tmp"))  # a socket's path may have 107 bytes
        self.folder.chmod(0o711)  # if we are root, nginx's workers are another user and must enter it
        (self.folder / "deploy.toml").write_text(SERVICE + _REST.format(port=self.port), encoding="utf-8")
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        down = self._zddeploy("down")
        if down.code < 0:  # killed: by a second Ctrl-C, before it had a process group of its own
            down = self._zddeploy("down")
        if down.code:
            hint = f"try again: zddeploy -c {self.folder}/deploy.toml down"
            raise NeedsPerson(f"the demo could not clean up: {' '.join(down.errors)}", hint=hint)
        shutil.rmtree(self.folder)
        if isinstance(error, ZddError):
            error.now_serving = f"all stopped, {self.folder} removed"

    def deploy(self, release: int, meanwhile: Callable[[], None]) -> Run:
        """Overwrite the code with that of a release, as an editor or git would, and run zddeploy."""
        code = Path(__file__).with_name("app.py").read_text(encoding="utf-8")
        code = code.replace('RELEASE = "1"', f'RELEASE = "{release}"')
        if release == BROKEN:
            code = code.replace("import asyncio\n", "import asyncio\nimport discounts  # works on my machine\n")
        (self.folder / "app.py").write_text(code, encoding="utf-8")
        return self._zddeploy(meanwhile=meanwhile)

    def _zddeploy(self, *arguments: str, meanwhile: Callable[[], None] = lambda: None) -> Run:
        """
        Run the command itself, so that the demo measures what a user gets, start-up included.

        `meanwhile` is called repeatedly; if it raises, the command is terminated and undoes its changes.
        """
        begun = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "zdd", "--json", *arguments],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C reaches only the demo, which terminates the child
        )
        try:
            while True:
                try:
                    output, errors = child.communicate(timeout=_POLL)
                    break
                except subprocess.TimeoutExpired:
                    meanwhile()
        except BaseException:
            child.terminate()
            child.communicate()
            raise
        meanwhile()  # a late signal explains how the child ended
        events = [json.loads(line) for line in output.splitlines()]
        return Run(begun, time.monotonic(), child.returncode, events, errors.splitlines())


def _environment() -> dict[str, str]:
    """Return our environment, in which this Python and this zdd come first."""
    first = {"PATH": _BIN, "PYTHONPATH": Path(__file__).parents[2]}
    return os.environ | {
        name: os.pathsep.join(filter(None, (str(place), os.environ.get(name)))) for name, place in first.items()
    }
