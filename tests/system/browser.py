"""Chromium without a window, driven by its DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 120.0
_FAR = 20  # descriptors from here on: bash then moves them to 3 and 4, where Chromium looks for its pipes
_OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--remote-debugging-pipe",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
]


class Browser:
    """One tab. `errors` are what its console shows as errors, `lost` the requests that got no whole answer."""

    def __init__(self, profile: Path, *options: str) -> None:
        program = shutil.which("chromium")
        if program is None:
            pytest.skip("needs chromium, which `./dev lab` installs")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        far = [fcntl.fcntl(fd, fcntl.F_DUPFD, _FAR) for fd in (theirs_in, theirs_out)]
        script = f'exec "$@" 3<&{far[0]} 4>&{far[1]} {far[0]}<&- {far[1]}>&-'
        command = ["bash", "-c", script, "bash", program, *_OPTIONS, f"--user-data-dir={profile}", *options]
        quiet = subprocess.DEVNULL
        env = os.environ | {"HOME": str(profile)}
        self._child = subprocess.Popen(
            command, pass_fds=far, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, env=env
        )
        for fd in (theirs_in, theirs_out, *far):
            os.close(fd)
        self._received, self._number, self._answers = b"", 0, dict[int, dict[str, Any]]()
        self._session: str | None = None
        self.errors: list[str] = []
        self.lost: list[str] = []
        self.loads = 0
        self._open_tab()

    def _open_tab(self) -> None:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is loaded."""
        self._load("Page.navigate", url=url)

    def reload(self) -> None:
        self._load("Page.reload")

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise's, once it has one."""
        found = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def await_true(self, script: str) -> None:
        """Wait until an expression in the page is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < deadline, f"{script} did not become true: {self.errors} {self.lost}"
            time.sleep(0.05)

    def end(self) -> None:
        """Close the browser with all of its processes."""
        with contextlib.suppress(OSError, AssertionError):
            self._session = None
            self._ask("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        os.close(self._in)
        os.close(self._out)

    def _load(self, method: str, **params: Any) -> None:
        before = self.loads
        assert "errorText" not in self._ask(method, **params)
        deadline = time.monotonic() + PATIENCE
        while self.loads == before:
            self._read(deadline)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        data = json.dumps(asked | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + PATIENCE
        while asked["id"] not in self._answers:
            self._read(deadline)
        answer = self._answers.pop(asked["id"])
        assert "error" not in answer, f"{method}: {answer['error']}"
        found: dict[str, Any] = answer["result"]
        return found

    def _read(self, deadline: float) -> None:
        """Read what has come: answers, and events."""
        assert select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0], "the browser says nothing"
        data = os.read(self._in, 1 << 16)
        assert data, "the browser has ended"
        *messages, self._received = (self._received + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, found: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self.loads += 1
        elif event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(found["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and found["type"] in ("error", "assert"):
            self.errors.append(json.dumps(found["args"]))
        elif event == "Log.entryAdded" and found["entry"]["level"] == "error":
            self.errors.append(json.dumps(found["entry"]))
        elif event == "Network.loadingFailed" and not found.get("canceled"):
            self.lost.append(found["errorText"])


@contextlib.contextmanager
def browser(profile: Path, *options: str) -> Iterator[Browser]:
    opened = Browser(profile, *options)
    try:
        yield opened
    finally:
        opened.end()
