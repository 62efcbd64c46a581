"""
Caddy, told of the new upstream by its admin API: PATCH of the object with an @id, and GET /reverse_proxy/upstreams.

As in caddyserver.com/docs/api and its tutorial. PATCH returns when the new configuration runs.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.system.project import free_port

from bench.hand import App, spawn
from bench.peer import Peer, answer, until


class Driver(Peer):
    """Caddy, admin API."""

    title = "Caddy admin API"
    docs = "caddyserver.com/docs/api"
    program = "caddy"

    def start(self) -> None:
        """Start the app, then Caddy."""
        self.app, self.admin = App(self.folder), free_port()
        self.app.wait(self.version)
        handle = [{"@id": "proxy", "handler": "reverse_proxy", "upstreams": self.upstreams()}]
        web = {"listen": [f"127.0.0.1:{self.port}"], "routes": [{"handle": handle}]}
        config = {"admin": {"listen": f"127.0.0.1:{self.admin}"}, "apps": {"http": {"servers": {"web": web}}}}
        self.project.write("caddy.json", json.dumps(config))
        spawn(self.folder, ["caddy", "run", "--config", "caddy.json"], HOME=str(self.folder))
        until(lambda: answer(self.port))

    def upstreams(self) -> list[dict[str, str]]:
        """Where requests are to go."""
        return [{"dial": f"127.0.0.1:{self.app.port}"}]

    def api(self, method: str, path: str, value: object = None) -> Any:
        """Ask the running Caddy."""
        data, url = json.dumps(value).encode() if value else None, f"http://127.0.0.1:{self.admin}{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or b"null")

    def requests(self) -> dict[str, int]:
        """How many requests are on their way to each upstream."""
        return {one["address"]: one["num_requests"] for one in self.api("GET", "/reverse_proxy/upstreams")}

    def deploy(self) -> None:
        """Lead it to a new app; the old one ends when no request is on its way to it."""
        old, self.app = self.app, App(self.folder)
        self.app.wait(self.version)
        self.mark("ready")
        self.api("PATCH", "/id/proxy/upstreams", self.upstreams())
        self.mark("switched")
        until(lambda: not self.requests().get(f"127.0.0.1:{old.port}"))
        old.stop()
