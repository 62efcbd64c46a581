"""Stop the old one, start the new one, as systemctl(1) does to restart. Behind nginx as in gunicorn.org/deploy."""

from __future__ import annotations

from bench.hand import App
from bench.peers import gunicorn_hup


class Driver(gunicorn_hup.Driver):
    """Stop, start."""

    title = "plain restart"
    docs = "systemctl(1), restart"

    def deploy(self) -> None:
        """Stop the old one; start the new one on its port."""
        self.app.stop()
        self.app = App(self.folder, "--pid", "gunicorn.pid", port=self.app.port)
        self.app.wait(self.version)
