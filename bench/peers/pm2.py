"""
pm2 in cluster mode: `pm2 reload` (pm2.keymetrics.io/docs/usage/cluster-mode/, Reload).

Behind nginx as in pm2.keymetrics.io/docs/tutorials/pm2-nginx-production-setup; the app ends on SIGINT as
pm2.keymetrics.io/docs/usage/signals-clean-restart/ asks.
"""

from __future__ import annotations

from bench.hand import Nginx, run
from bench.peer import Peer, answer, until
from tests.machine import free_port


class Driver(Peer):
    """pm2 reload, cluster mode."""

    title = "pm2 reload"
    docs = "pm2.keymetrics.io/docs/usage/cluster-mode/, Reload"
    language = "Node"
    program = "pm2"

    def start(self) -> None:
        """Start the app, then nginx."""
        self.app_port = free_port()
        self.pm2("start", "shop.js", "--name", "shop", "-i", "1")
        until(lambda: answer(self.app_port))
        upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
        self.nginx = Nginx(self.folder, self.port, f"proxy_http_version 1.1; {upgrade}", "; keepalive 64;")
        self.nginx.write(self.app_port)
        self.nginx.command()

    def pm2(self, *arguments: str) -> None:
        """Run pm2, with its daemon and files in our folder."""
        run(self.folder, "pm2", *arguments, PM2_HOME=f"{self.folder}/pm2", PORT=str(self.app_port))

    def deploy(self) -> None:
        """One command."""
        self.pm2("reload", "shop")
