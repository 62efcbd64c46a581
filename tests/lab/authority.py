"""Let's Encrypt as the lab has it: pebble, beside the host, under the name and the address that everybody knows."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
from pathlib import Path

from tests.system.authority import DOORS
from tests.waiting import eventually

from .host import ADDRESS, HERE, Host, run

NAME = "acme-v02.api.letsencrypt.org"
NEAR = "198.18.79.1"
BUNDLE = "/etc/ssl/our-root.pem"

# pebble has its directory at another path; what else there is to know is in that.
DOOR = """\
pid FOLDER/nginx.pid;
error_log FOLDER/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/temp; proxy_temp_path FOLDER/temp; fastcgi_temp_path FOLDER/temp;
    uwsgi_temp_path FOLDER/temp; scgi_temp_path FOLDER/temp;
    server {
        listen NEAR:443 ssl;
        ssl_certificate FOLDER/door.crt;
        ssl_certificate_key FOLDER/door.key;
        location / { proxy_pass https://127.0.0.1:14000; proxy_set_header Host $host; }
        location = /directory { proxy_pass https://127.0.0.1:14000/dir; proxy_set_header Host $host; }
    }
}
"""


class LetsEncrypt:
    """It asks on port 80 of the host, whatever the name; the host knows its address, and whom to trust."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.folder = folder
        self._children: list[subprocess.Popen[bytes]] = []
        door = DOORS.issue(folder, NAME, name="door")
        settings = {
            "listenAddress": "127.0.0.1:14000",
            "managementListenAddress": "127.0.0.1:15000",
            "certificate": str(door.certificate),
            "privateKey": str(door.key),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": 90 * 86400,
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        (folder / "nginx.conf").write_text(DOOR.replace("FOLDER", str(folder)).replace("NEAR", NEAR))
        host.write(BUNDLE, DOORS.pem)
        host.write("/etc/profile.d/authority.sh", f"export REQUESTS_CA_BUNDLE={BUNDLE}\n")
        host.root("sh", "-c", f"echo {NEAR} {NAME} >> /etc/hosts")

    def start(self) -> None:
        self._run("pebble-challtestsrv", "-dns01=127.0.0.1:8053", f"-defaultIPv4={ADDRESS}", "-defaultIPv6=", *_NONE)
        self._run("pebble", "-config", str(self.folder / "pebble.json"), "-dnsserver", "127.0.0.1:8053")
        self._run("nginx", "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;")
        eventually(lambda: self._asked(f"https://{NEAR}/directory", code=None))

    def end(self) -> None:
        for child in self._children:
            child.terminate()
            child.wait()

    def root(self) -> str:
        """The certificate that those it issues lead to."""
        return self._asked("https://127.0.0.1:15000/roots/0")

    def _asked(self, url: str, code: int | None = 0) -> str:
        assert urllib.parse.urlsplit(url).hostname
        return run([str(HERE / "hosts.sh"), "near", "curl", "--silent", "--fail", "--insecure", url], code).stdout

    def _run(self, *argv: str) -> None:
        env = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        with (self.folder / "log").open("ab") as log:
            whole = [str(HERE / "hosts.sh"), "near", *argv]
            self._children.append(subprocess.Popen(whole, stdout=log, stderr=log, env=env))


_NONE = ("-http01=", "-https01=", "-tlsalpn01=", "-management=127.0.0.1:8055")
