"""
A careful script of one's own: start, ask until it answers, write the configuration, test, reload, end the old one.

nginx as in nginx.org/en/docs/control.html (changing configuration) and the example of `keepalive` in
nginx.org/en/docs/http/ngx_http_upstream_module.html. It waits until the old workers are gone.
"""

from __future__ import annotations

from bench.hand import KEEP_ALIVE, App, Nginx
from bench.peer import Peer


class Driver(Peer):
    """nginx -s reload, by hand."""

    title = "nginx reload"
    docs = "nginx.org: Controlling nginx; ngx_http_upstream_module, keepalive"

    def start(self) -> None:
        """Start the app, then nginx."""
        self.nginx = self.nginx_by_hand()
        self.app = App(self.folder)
        self.app.wait(self.version)
        self.nginx.write(self.app.port)
        self.nginx.command()

    def nginx_by_hand(self) -> Nginx:
        """A pool of connections to the app, as in the module's example."""
        return Nginx(self.folder, self.port, KEEP_ALIVE, "; keepalive 64;")

    def deploy(self) -> None:
        """Lead nginx to a new app on another port."""
        old, self.app = self.app, App(self.folder)
        self.app.wait(self.version)
        self.mark("ready")
        self.nginx.write(self.app.port)
        self.nginx.reload()
        self.mark("switched")
        old.stop()
