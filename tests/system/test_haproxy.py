"""HAProxy before zdd's own nginx: it passes connections on with the PROXY protocol, and asks whether nginx is there."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secure import context
from tests.waiting import eventually

from .authority import NAMES, Authority, NamedProject, obstacle
from .project import configure, service, version

pytestmark = [
    pytest.mark.matrix,
    pytest.mark.skipif(obstacle() is not None, reason=obstacle() or ""),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy"),
]

SHOP = NAMES[0]
BALANCER = "127.0.0.9"  # the authority asks at port 80, and nothing else has that of this address
ECHO = {"run": "python -S echo.py {fd}", "health_path": "/", "keep_warm": "0s"}
CONFIGURATION = """
global
    stats socket SOCKET
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option httpchk
    http-check send meth GET uri /zdd-health
listen plain
    bind BALANCER:80
    server machine 127.0.0.1:PLAIN send-proxy-v2 check check-send-proxy inter 100ms
listen secure
    bind BALANCER:HTTPS
    http-check send meth GET uri / ver HTTP/1.1 hdr Host shop.example.org
    default-server check-ssl verify none check-sni shop.example.org
    server machine 127.0.0.1:HTTPS send-proxy-v2 check check-send-proxy inter 100ms
"""


@pytest.fixture
def project() -> Iterator[NamedProject]:
    made = NamedProject()
    yield made
    made.end()


@contextlib.contextmanager
def balancer(project: NamedProject, folder: Path) -> Iterator[Path]:
    """HAProxy; yields the socket that it is asked at."""
    asked = folder / "stats"
    text = CONFIGURATION.replace("SOCKET", str(asked)).replace("BALANCER", BALANCER)
    (folder / "haproxy.cfg").write_text(text.replace("PLAIN", str(project.port)).replace("HTTPS", str(project.https)))
    child = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(folder / "haproxy.cfg")])
    try:
        eventually(asked.exists)
        yield asked
    finally:
        child.kill()
        child.wait()


def states(asked: Path) -> dict[str, str]:
    """What HAProxy thinks of this machine, by its two ways there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(asked))
        client.sendall(b"show stat\n")
        rows = [line.split(",") for line in b"".join(iter(lambda: client.recv(65536), b"")).decode().splitlines()]
    return {row[0]: row[17] for row in rows if row[1:2] == ["machine"]}


def told(project: NamedProject, root: str) -> dict[str, str]:
    """What the app is told about a visitor who comes by HTTPS through HAProxy."""
    with (
        socket.create_connection((BALANCER, project.https), 60) as plain,
        context(root).wrap_socket(plain, server_hostname=SHOP) as client,
    ):
        lines = ["GET / HTTP/1.1", f"Host: {SHOP}", "X-Forwarded-For: 192.0.2.1", "Connection: close", "", ""]
        client.sendall("\r\n".join(lines).encode())
        found: dict[str, str] = json.loads(b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")[2])
    return found


def test_behind_haproxy_certificates_are_issued_and_its_checks_find_nginx(
    project: NamedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, 80)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    project.lead({SHOP: BALANCER})
    authority.start()
    try:
        authority.lead(SHOP, BALANCER)
        keys = f'https = "auto"\nhttps_listen = "127.0.0.1:{project.https}"\nacme_server = "{authority.server}"\n'
        configure(project, service("web", **ECHO, host=SHOP), nginx=f"{keys}proxy_protocol = true\n")
        with balancer(project, tmp_path) as asked:
            # HAProxy sends nobody here until its checks have seen that nginx has started.
            assert f"{SHOP}: a new certificate by Pebble" in project.zddeploy().stdout
            for number in (2, 3):
                version(project, number)
                assert project.events()[-1]["unproved"] == []
                found = told(project, authority.root())
                assert (found["version"], found["x-forwarded-proto"]) == (str(number), "https")
                assert found["x-forwarded-for"] == "127.0.0.1"  # the visitor's address, not the visitor's word
            eventually(lambda: states(asked) == {"plain": "UP", "secure": "UP"})
            project.zddeploy("maintenance", "on")
            eventually(lambda: states(asked)["secure"] == "DOWN")
            assert states(asked)["plain"] == "UP"
            project.zddeploy("maintenance", "off")
            eventually(lambda: states(asked) == {"plain": "UP", "secure": "UP"})
    finally:
        authority.end()
