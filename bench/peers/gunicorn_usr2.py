"""
gunicorn replaced on its own socket: USR2, see that the new one answers, TERM to the old master.

As in gunicorn.org/signals, Binary upgrade; behind nginx as in gunicorn.org/deploy. Both versions answer until the old
one is told to end.
"""

from __future__ import annotations

import os
import signal

from bench.hand import end
from bench.peer import until
from bench.peers import gunicorn_hup


class Driver(gunicorn_hup.Driver):
    """gunicorn, USR2."""

    title = "gunicorn USR2"
    docs = "gunicorn.org/signals, Binary upgrade"

    def deploy(self) -> None:
        """Start a second master, end the first."""
        pid_file = self.folder / "gunicorn.pid"
        old = int(pid_file.read_text())
        os.kill(old, signal.SIGUSR2)
        until((self.folder / "gunicorn.pid.2").exists)
        until(self.serves_new)
        self.mark("ready")
        end(old)
        until(lambda: pid_file.exists() and pid_file.read_text().strip() not in ("", str(old)))
        self.mark("switched")
