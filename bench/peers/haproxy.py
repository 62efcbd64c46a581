"""
HAProxy with two servers in the backend, blue and green, swapped by its Runtime API.

`set server ... addr`, `state ready`, `state drain` and `show servers conn` as in its Management Guide, section 9.3
(Unix Socket commands). apps/haproxy.cfg has the timeouts of Debian's default configuration.
"""

from __future__ import annotations

import socket

from bench.hand import App, spawn
from bench.peer import Peer, answer, until


class Driver(Peer):
    """HAProxy, Runtime API."""

    title = "HAProxy runtime API"
    docs = "HAProxy Management Guide, 9.3 Unix Socket commands"
    program = "haproxy"

    def start(self) -> None:
        """Start the app, then HAProxy."""
        self.app, self.live, self.idle = App(self.folder), "web/blue", "web/green"
        self.app.wait(self.version)
        values = {"FOLDER": self.folder, "PORT": self.port, "APP": self.app.port}
        for name, value in values.items():
            self.project.replace("haproxy.cfg", name, str(value))
        spawn(self.folder, ["haproxy", "-f", "haproxy.cfg"])
        until(lambda: answer(self.port))

    def tell(self, command: str) -> str:
        """Give a command to the running HAProxy."""
        with socket.socket(socket.AF_UNIX) as api:
            api.connect(f"{self.folder}/admin.sock")
            api.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: api.recv(65536), b"")).decode()

    def busy(self, server: str) -> bool:
        """Whether connections to that server are in use."""
        lines = [line.split() for line in self.tell("show servers conn web").splitlines()[1:]]
        return any(words[0] == server and words[6] != "0" for words in lines if words)

    def deploy(self) -> None:
        """Lead the idle server to a new app, let the other one drain."""
        old, self.app = self.app, App(self.folder)
        self.app.wait(self.version)
        self.mark("ready")
        self.live, self.idle = self.idle, self.live
        self.tell(f"set server {self.live} addr 127.0.0.1 port {self.app.port}")
        self.tell(f"set server {self.live} state ready")
        self.tell(f"set server {self.idle} state drain")
        self.mark("switched")
        until(lambda: not self.busy(self.idle))
        self.tell(f"set server {self.idle} state maint")
        old.stop()
