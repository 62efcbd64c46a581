"""zdd, but behind a text of one's own that pools connections to the app as nginx does by default: for up to an hour."""

from __future__ import annotations

from typing import Any, ClassVar

from bench.peers import zdd_table
from tests.system.project import service, template


class Driver(zdd_table.Driver):
    """The rename alone is not enough: what a pooled connection leads to has to be left by nginx, not by the app."""

    title = "rename, upstream keep-alive without a bound"
    pool: ClassVar[str] = "keepalive 64;"
    keys: ClassVar[dict[str, Any]] = zdd_table.Driver.keys | {"drain_timeout": "2s"}  # nobody leaves by himself

    def start(self) -> None:
        """Write the text and deploy.toml, deploy."""
        slot = f"{self.project.runtime}/current/web/00"
        upstream = f"upstream web {{ server unix:{slot}; {self.pool} }}"
        template(self.project, "location / { proxy_pass http://web; }", upstream)
        nginx = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "R/nginx.pid"\n'
        self.first_deploy(self.project.section() + nginx + service("web", **self.keys))
