"""A project on the lab's host: a small app, the distribution's nginx before it, the user `deploy`."""

from __future__ import annotations

import json
import time
from typing import Any

from .host import ZDD, Host, Result

FOLDER = "/home/deploy/shop"

APP = """
import time
from pathlib import Path

VERSION = Path(__file__).with_name("VERSION").read_text().strip()
if VERSION.startswith("slow"):
    time.sleep(10)


async def app(scope, receive, send):
    if scope["path"] == "/eat":
        held = b"x" * (400 << 20)
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-release", VERSION.encode())]})
    await send({"type": "http.response.body", "body": body or VERSION.encode()})
"""

CONF = """
[nginx]
include = "upstreams.conf"
test = "sudo nginx -t"
reload = "sudo systemctl reload nginx"

[service.web]
run = "uvicorn app:app --fd {fd} --lifespan off --no-access-log"
health_path = "/"
health_host = "shop.example"
memory_max = "300M"
cpu_weight = 200
keep_warm = "0s"
"""

SITE = """
include /home/deploy/shop/upstreams.conf;
server {
    listen 80 default_server;
    location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; }
}
"""


class Shop:
    """Its home is closed to others, as Debian's adduser makes it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        host.root("chmod", "700", "/home/deploy")
        host.write(f"{FOLDER}/app.py", APP, "deploy")
        host.write(f"{FOLDER}/deploy.toml", CONF, "deploy")
        host.root("rm", "-f", "/etc/nginx/sites-enabled/default")
        self.release("1")

    def release(self, version: str) -> None:
        self.host.write(f"{FOLDER}/VERSION", version, "deploy")

    def enable(self) -> Result:
        enabled = self.host.root(ZDD, "-c", f"{FOLDER}/deploy.toml", "enable")
        self.host.write("/etc/nginx/conf.d/shop.conf", SITE)
        return enabled

    def zddeploy(self, *args: str, code: int | None = 0) -> Result:
        """Run zddeploy over ssh, as CI does."""
        return self.host.ssh("deploy", self.command(*args), code)

    def command(self, *args: str) -> str:
        return f"cd {FOLDER} && PATH=/opt/zdd/bin:$PATH zddeploy {' '.join(args)}"

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.zddeploy("status", "--json", code=None).stdout)
        return found

    def serves(self) -> str:
        """Ask nginx, and return which version answers; otherwise what went wrong."""
        answer = self.host.root("curl", "-s", "-f", "-m", "30", "http://127.0.0.1/", code=None)
        return answer.stdout if answer.returncode == 0 else f"curl: {answer.returncode}"

    def comes_to_serve(self, version: str, seconds: float = 60.0) -> bool:
        deadline = time.monotonic() + seconds
        while self.serves() != version:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
