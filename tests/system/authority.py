"""A certificate authority on this machine: pebble, with a DNS of its own, and one that answers everything wrongly."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import certificates
from tests.machine import free_port
from tests.waiting import eventually

from .project import Project

HERE = "127.0.0.1"
DOORS = certificates.Authority("Who certifies the authority's own door")
NAMES = ("shop.example.org", "www.example.org", "blog.example.org")


class Authority:
    """
    pebble, which asks on `http_port` for its challenges; its DNS leads every name here unless a test says otherwise.

    `age` is that of the certificate of its own door, in days; for names in `blocked` it issues nothing.
    """

    def __init__(self, folder: Path, http_port: int, age: float = 1, blocked: Sequence[str] = ()) -> None:
        self.folder = folder
        self.log = folder / "pebble.log"
        self._api, self._management, self._dns, self._records = (free_port() for _ in range(4))
        door = DOORS.issue(folder, HERE, age=age, name="door")
        self.bundle = door.certificate  # its chain is there, too
        settings = {
            "listenAddress": f"{HERE}:{self._api}",
            "managementListenAddress": f"{HERE}:{self._management}",
            "certificate": str(door.certificate),
            "privateKey": str(door.key),
            "httpPort": http_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "domainBlocklist": list(blocked),
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": 90 * 86400,
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def server(self) -> str:
        return f"https://{HERE}:{self._api}/dir"

    def start(self) -> None:
        names = [f"-dns01={HERE}:{self._dns}", f"-management={HERE}:{self._records}", f"-defaultIPv4={HERE}"]
        none = ["-defaultIPv6=", "-http01=", "-https01=", "-tlsalpn01="]
        self._run("pebble-challtestsrv", *names, *none)
        self._run("pebble", "-config", str(self.folder / "pebble.json"), "-dnsserver", f"{HERE}:{self._dns}")
        eventually(lambda: self._is_open(self.server))

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
        self._children.clear()

    def issued(self) -> int:
        """How many certificates it has issued."""
        return self.log.read_text().count("Issued certificate")

    def asked(self, host: str) -> int:
        """How often it was to verify this host."""
        return self.log.read_text().count(f'Type:"dns", Value:"{host}"')

    def root(self) -> str:
        """The certificate that those it issues lead to; another one after each start."""
        with urllib.request.urlopen(f"https://{HERE}:{self._management}/roots/0", context=self._trusting()) as answer:
            return str(answer.read().decode())

    def lead(self, host: str, address: str) -> None:
        """Lead a name to another address, in the authority's own DNS."""
        body = json.dumps({"host": f"{host}.", "addresses": [address]}).encode()
        urllib.request.urlopen(f"http://{HERE}:{self._records}/add-a", body).close()

    def _run(self, *argv: str) -> None:
        env = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        with self.log.open("ab") as log:
            self._children.append(subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=self.folder))

    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.bundle))
        context.check_hostname = False
        return context

    def _is_open(self, url: str) -> bool:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            urllib.request.urlopen(url, context=context).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def answering(
    folder: Path, status: int, problem: dict[str, object] | None = None, wait: str | None = None
) -> Iterator[str]:
    """
    An authority that answers every request with this status; yields its address, door.crt is its certificate.

    `wait` is what it says in Retry-After.
    """
    door = DOORS.issue(folder, HERE, name="door")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(problem or {}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            if wait:
                self.send_header("Retry-After", wait)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*door)
    with http.server.ThreadingHTTPServer((HERE, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://{HERE}:{server.server_address[1]}/dir"
        finally:
            server.shutdown()
            thread.join()


class NamedProject(Project):
    """
    A project on a machine that knows some names: zddeploy runs where /etc/hosts has them.

    With `disk`, its state is on a disk of this size.
    """

    def __init__(self, disk: str | None = None) -> None:
        super().__init__()
        self._disk = disk
        if disk:
            self.state.mkdir(mode=0o755)
            argv = ["mount", "-t", "tmpfs", "-o", f"size={disk},mode=755", "tmpfs", str(self.state)]
            subprocess.run(argv, check=True)
        self.https = free_port()
        self.hosts = self.folder / "hosts"
        self.lead(dict.fromkeys(NAMES, HERE))
        script = 'mount --bind "$0" /etc/hosts && exec sleep infinity'
        self._holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, str(self.hosts)])
        self.within = ("nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", f"--wd={self.folder}", "--")
        known = ["grep", "-q", NAMES[0], "/etc/hosts"]
        eventually(lambda: subprocess.run([*self.within, *known], check=False).returncode == 0)

    def lead(self, names: dict[str, str]) -> None:
        """Lead names to addresses on this machine."""
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
        self.hosts.write_text("\n".join(lines) + "\n")  # in place: the file is mounted

    def end(self) -> None:
        try:
            self.zddeploy("down", code=None)
            if self._disk:
                subprocess.run(["umount", "-l", self.state], check=True)
            super().end()
        finally:
            self._holder.kill()
            self._holder.wait()


def obstacle() -> str | None:
    """Why there can be no authority here."""
    if os.geteuid() != 0:
        return "only root can make namespaces"
    return None if shutil.which("pebble") else "needs pebble"
