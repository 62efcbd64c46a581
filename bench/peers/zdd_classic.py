"""
zdd as it was in 2011: start the new instance, wait for its files, render the template, SIGHUP, sleep 1, kill the old.

It asked the new instance nothing, and did not look whether nginx had taken the new configuration.
"""

from __future__ import annotations

import os
import signal
import time

from bench.hand import App, Nginx, run
from bench.peer import Peer, until


class Driver(Peer):
    """The classic contract, by the classic script; `app` is what serves."""

    title = "zdd in 2011"
    docs = "README.md, The classic contract, with the steps of the first version"
    app: App

    def start(self) -> None:
        """Start the app, then nginx."""
        self.nginx = Nginx(self.folder, self.port, "", ";")
        self.app = self.instance()
        self.app.wait(self.version)
        self.nginx.write(self.app.port)
        self.nginx.command()

    def instance(self) -> App:
        """Start an instance; it is there when it has written its pid file."""
        (self.folder / "gunicorn.pid").unlink(missing_ok=True)
        app = App(self.folder, "--pid", "gunicorn.pid", "--config", "classic.conf.py")
        until((self.folder / "port").exists)
        (self.folder / "port").unlink()
        return app

    def deploy(self) -> None:
        """Lead nginx to a new instance, and end the old one a second later."""
        old, self.app = self.app, self.instance()
        self.mark("ready")
        self.nginx.write(self.app.port)
        os.kill(self.nginx.master, signal.SIGHUP)
        self.mark("switched")
        time.sleep(1)
        run(self.folder, "kill", str(old.process.pid))
