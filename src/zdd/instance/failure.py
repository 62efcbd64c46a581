"""Why an instance did not become healthy, in words for somebody who was not there."""

from __future__ import annotations

import os
import signal

from zdd.errors import DeployFailed

_SHOWN_LINES = 20


class InstanceFailed(DeployFailed):
    """An instance of the new version did not make it: `output` is the last it printed, `log` has the rest."""

    def __init__(self, message: str, output: list[str], log: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output[-_SHOWN_LINES:]
        self.log = log


def ended(status: int) -> str:
    """
    Say how a process ended, from its exit status (minus the signal's number when killed).

    >>> ended(3), ended(-9)
    ('exit status 3', 'SIGKILL')
    """
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def cannot_run(command: str, error: OSError) -> str:
    """Say that a program could not be started, and why."""
    return f"cannot run {command!r}: {error.strerror or os.strerror(error.errno or 0)}"
