"""The project that the demo deploys: a folder below /tmp, as a user would have it in his home."""

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

from zdd.errors import NeedsPerson

_POLL = 0.1
_LONGEST_DOWN = 120.0

# What a user writes, and shown to him; the rest of the file keeps the demo apart from what else runs here.
SERVICE = f"""\
[service.web]
run = "{Path(sys.executable).name} app.py"
health_path = "/"
"""
_CONF = """\
{service}drain_timeout = "5m"  # WebSockets stay with the release they began on for the whole demo

[nginx]
listen = "127.0.0.1:{port}"

[zdd]
project = "demo"
state_dir = "S"
runtime_dir = "R"
"""

_RELEASE = 'RELEASE = "1"'
_BROKEN = "import discounts  # works on my machine\n\n"


@dataclass(frozen=True)
class Run:
    """One run of zddeploy: when (CLOCK_MONOTONIC), how it ended, and what it said to people."""

    begun: float
    ended: float
    code: int
    events: list[dict[str, Any]]
    errors: list[str]

    @property
    def seconds(self) -> float:
        """How long its user waited."""
        return self.ended - self.begun

    def seconds_of(self, event: str, **fields: str) -> float:
        """How long that part of it took, 0 if there was none."""
        wanted = {"event": event, **fields}
        return next((float(one["seconds"]) for one in self.events if wanted.items() <= one.items()), 0.0)


class Project:
    """Exists while the context lasts; nothing of it is left afterwards, no process and no file."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._source = Path(__file__).with_name("app.py").read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        # Not TMPDIR: the path of a UNIX socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="zdd-demo-", dir="/tmp"))
        self.folder.chmod(0o711)  # nginx's workers, another user when we are root, must pass
        (self.folder / "deploy.toml").write_text(_CONF.format(service=SERVICE, port=self.port), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        down = self.zddeploy("down", timeout=_LONGEST_DOWN)
        if down.code:
            command = f"zddeploy -c {self.folder}/deploy.toml down"
            raise NeedsPerson(f"the demo could not clean up: {' '.join(down.errors)}", hint=f"try again: {command}")
        shutil.rmtree(self.folder)

    def write(self, release: int, broken: bool = False) -> None:
        """Write the code of a release over that of the one before, as an editor or git would."""
        code = self._source.replace(_RELEASE, _RELEASE.replace("1", str(release)))
        if broken:
            code = code.replace("import signal\n", f"{_BROKEN}import signal\n")
        (self.folder / "app.py").write_text(code, encoding="utf-8")

    def zddeploy(
        self, *arguments: str, meanwhile: Callable[[], None] = lambda: None, timeout: float | None = None
    ) -> Run:
        """
        Run the real command, as a user would: what the demo shows and measures is what he gets, start-up included.

        `meanwhile` is called again and again; when it raises, the command is interrupted, and undoes what it did.
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
            process_group=0,  # Ctrl-C is the demo's; it passes it on
        )
        try:
            while True:
                try:
                    output, errors = child.communicate(timeout=_POLL)
                    break
                except subprocess.TimeoutExpired:
                    meanwhile()
                    if timeout and time.monotonic() > begun + timeout:
                        child.terminate()
        except BaseException:
            child.terminate()
            child.communicate()
            raise
        events = [json.loads(line) for line in output.splitlines()]
        return Run(begun, time.monotonic(), child.returncode, events, errors.splitlines())


def _environment() -> dict[str, str]:
    """Return ours, with this very Python and this very zdd before all others."""
    first = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(Path(__file__).parents[2])}
    return os.environ | {
        name: os.pathsep.join(filter(None, (place, os.environ.get(name)))) for name, place in first.items()
    }
