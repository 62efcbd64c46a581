from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from zdd.load.report import Progress, Report
from zdd.load.spec import Spec

GRACE = 30.0  # seconds that a busy machine may take to start the child, or to pass its report


class LoadError(Exception):
    """The load generator itself failed; this says nothing about the target."""


class Load:
    """
    Generates load in a child process, from entering the context until `stop`, `wait` or leaving it.

        with Load(Spec("127.0.0.1:8080", rate=500)) as load:
            deploy()
            report = load.stop()

    The child never outlives the context, nor this process: it ends when its standard input does. Entering raises
    LoadError if the child cannot start (an unknown host), and OSError if there can be no process.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._progress = Progress()
        self._report: dict[str, Any] | None = None
        self._error = ""
        self._started = False
        self._settled = Event()  # the child has started, or never will
        self._reader = Thread(target=self._read, name="zdd-load", daemon=True)

    def __enter__(self) -> Self:
        package = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "zdd.load", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
        )
        self._reader.start()
        assert self._child.stdin is not None
        try:
            # Not as an argument: headers may be secret, and every user can see arguments.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._child.stdin.fileno(), self.spec.to_json().encode() + b"\n")
            self._settled.wait(GRACE)
        finally:
            if not self._started:
                self._end()
        if not self._started:
            raise LoadError(self._error or f"the load generator did not start (exit code {self._child.returncode})")
        return self

    def progress(self) -> Progress:
        """Return the newest progress, at most about a quarter of a second old."""
        return self._progress

    def stop(self) -> Report:
        """
        Start no more requests, wait for the outcome of those under way, and return the report.

        Takes at most a moment more than the spec's timeout. Raises LoadError if the child gives no report.
        """
        assert self._child.stdin is not None
        self._child.stdin.close()
        return self._finish(self.spec.timeout + GRACE)

    def wait(self) -> Report:
        """Return the report after the spec's `seconds`. Raises ValueError if it has none, LoadError as `stop` does."""
        if self.spec.seconds is None:
            raise ValueError("this load has no end: stop it")
        return self._finish(self.spec.seconds + self.spec.timeout + GRACE)

    def __exit__(self, *_: object) -> None:
        self._end()

    def _finish(self, seconds: float) -> Report:
        self._reader.join(seconds)
        self._end()
        if self._report is None:
            raise LoadError(self._error or f"the load generator gave no report (exit code {self._child.returncode})")
        return Report.unpack(self._report)

    def _end(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):  # a child that has reported may end by itself
            self._child.wait(0 if self._reader.is_alive() else 1)
        self._child.kill()
        self._child.wait()
        self._reader.join()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        """Read the child's lines in a thread, so that it never waits for us."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if not line.endswith(b"\n"):
                break  # it died in the middle of it
            message = json.loads(line)
            match message.pop("event"):
                case "started":
                    self._started = True
                    self._settled.set()
                case "progress":
                    self._progress = Progress(**message)
                case "report":
                    self._report = message["report"]
                case "error":
                    self._error = message["message"]
        self._settled.set()
