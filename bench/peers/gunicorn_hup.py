"""
gunicorn told to load the new code: `kill -HUP` (gunicorn.org/signals, Reload the configuration).

Behind nginx as in gunicorn.org/deploy. The signal is all there is: nothing tells when, or whether, the new version
serves.
"""

from __future__ import annotations

import os
import signal

from bench.hand import App, Nginx
from bench.peer import Peer


class Driver(Peer):
    """gunicorn, HUP."""

    title = "gunicorn HUP"
    docs = "gunicorn.org/signals, Reload the configuration"

    def start(self) -> None:
        """Start gunicorn, then nginx."""
        self.app = App(self.folder, "--pid", "gunicorn.pid")
        self.app.wait(self.version)
        self.nginx = Nginx(self.folder, self.port, "", "fail_timeout=0;")
        self.nginx.write(self.app.port)
        self.nginx.command()

    def deploy(self) -> None:
        """Send the signal."""
        os.kill(self.app.process.pid, signal.SIGHUP)
