"""
kamal-proxy, if the variable KAMAL_PROXY names its program: `kamal-proxy deploy SERVICE --target HOST:PORT`.

As in the README of github.com/basecamp/kamal-proxy: it asks until the target is healthy, switches, and returns when
the old target has drained, so that it may be ended.
"""

from __future__ import annotations

import os

from bench.hand import App, run, spawn
from bench.peer import Peer, until
from tests.machine import free_port


class Driver(Peer):
    """kamal-proxy, deploy."""

    title = "kamal-proxy"
    docs = "github.com/basecamp/kamal-proxy, README"

    @classmethod
    def missing(cls) -> str:
        """Whether it was named."""
        program = os.environ.get("KAMAL_PROXY", "")
        return "" if os.access(program, os.X_OK) else "KAMAL_PROXY names no program: it is in no package registry"

    def start(self) -> None:
        """Start the proxy, then have it lead to the app."""
        home = str(self.folder)
        self.env = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_RUNTIME_DIR": home}
        ports = ["--http-port", str(self.port), "--https-port", str(free_port())]
        spawn(self.folder, [os.environ["KAMAL_PROXY"], "run", *ports], **self.env)
        until(lambda: any(self.folder.rglob("*.sock")))
        self.app = App(self.folder)
        self.lead()

    def lead(self) -> None:
        """Have it lead to the app once that is healthy."""
        command = [os.environ["KAMAL_PROXY"], "deploy", "web", "--target", f"127.0.0.1:{self.app.port}"]
        run(self.folder, *command, "--health-check-path", "/", **self.env)

    def deploy(self) -> None:
        """Lead it to a new app, then end the old one."""
        old, self.app = self.app, App(self.folder)
        self.lead()
        old.stop()
