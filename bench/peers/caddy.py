"""Caddy's admin API: PATCH of the object with an @id, GET /reverse_proxy/upstreams (caddyserver.com/docs/api)."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from bench.hand import App, spawn
from bench.peer import Peer, answer, until
from tests.machine import free_port


class Driver(Peer):
    """Caddy, admin API."""

    title = "Caddy admin API"
    docs = "caddyserver.com/docs/api"
    program = "caddy"

    def start(self) -> None:
        """Start the app, then Caddy."""
        self.app, self.admin = App(self.folder), f"127.0.0.1:{free_port()}"
        self.app.wait(self.version)
        proxy = {"@id": "proxy", "handler": "reverse_proxy", "upstreams": self.upstreams()}
        web = {"listen": [f"127.0.0.1:{self.port}"], "routes": [{"handle": [proxy]}]}
        apps = {"http": {"servers": {"web": web}}}
        self.project.write("caddy.json", json.dumps({"admin": {"listen": self.admin}, "apps": apps}))
        spawn(self.folder, ["caddy", "run", "--config", "caddy.json"], HOME=str(self.folder))
        until(lambda: answer(self.port))

    def upstreams(self) -> list[dict[str, str]]:
        """Where requests are to go."""
        return [{"dial": f"127.0.0.1:{self.app.port}"}]

    def api(self, method: str, path: str, value: object = None) -> Any:
        """Ask the running Caddy."""
        data, headers = json.dumps(value).encode() if value else None, {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.admin}{path}", data, headers, method=method)
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
