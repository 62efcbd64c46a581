"""
kamal-proxy, if the variable KAMAL_PROXY names its program: `kamal-proxy deploy SERVICE --target HOST:PORT`.

As in the README of github.com/basecamp/kamal-proxy: it asks until the target is healthy, switches, and returns when
the old target has drained, so that it may be ended.
"""

from __future__ import annotations

from bench import kamal
from bench.hand import App
from bench.peer import Peer


class Driver(Peer):
    """kamal-proxy, deploy."""

    title = "kamal-proxy"
    docs = "github.com/basecamp/kamal-proxy, README; it asks a target once a second, its default"

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot run here: nobody has named its program."""
        return kamal.missing()

    def start(self) -> None:
        """Start the proxy, then lead it to the app."""
        self.proxy = kamal.KamalProxy(self.folder, self.port)
        self.app = App(self.folder)
        self.proxy.deploy("web", [self.app.port])

    def deploy(self) -> None:
        """Lead it to a new app, then end the old one."""
        old, self.app = self.app, App(self.folder)
        self.proxy.deploy("web", [self.app.port])
        old.stop()
        self.marks |= self.proxy.marks()
