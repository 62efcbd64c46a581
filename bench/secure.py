"""
The data path by HTTPS: zdd's own nginx text, a plain nginx and Caddy, each before the same app, with one certificate.

wrk verifies nothing and speaks HTTP/1.1 on connections that it keeps, so handshakes count for little.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from bench.hand import KEEP_ALIVE, NGINX, end, spawn
from bench.path import backend, nginx, nginx_version, own_setup, slots_to, start
from bench.peer import until
from tests.certificates import Authority, Issued
from tests.machine import free_port
from zdd.nginx.config.render import render
from zdd.nginx.config.tls import Certificate, Tls

HOST = "127.0.0.1"


def ways(stack: ExitStack) -> dict[str, str]:
    """Return the URL of each way; all end with the stack."""
    sockets, ports = stack.enter_context(backend(1))
    found = {
        "zdd, 1, HTTPS": stack.enter_context(zdd(sockets)),
        "plain nginx, 1, HTTPS": stack.enter_context(plain(ports[0])),
    }
    if shutil.which("caddy"):
        found["Caddy, 1, HTTPS"] = stack.enter_context(caddy(ports[0]))
    return {way: f"https://{HOST}:{port}/" for way, port in found.items()}


@contextmanager
def zdd(sockets: list[str]) -> Iterator[int]:
    """Zdd's own text, which serves plain requests, too, so that one can see that it has started."""
    with nginx() as folder:
        port, other = free_port(), free_port()
        issued = certified(folder)
        own = Certificate([], str(issued.certificate), str(issued.key))
        setup = own_setup(folder, slots_to(folder, sockets), other)
        tls = Tls([f"{HOST}:{port}"], [own], redirect=False)
        start(folder, render(replace(setup, tls=tls), nginx_version()), other)
        yield port


@contextmanager
def plain(app: int) -> Iterator[int]:
    """The plain nginx of the other drivers, with nginx's own settings for TLS."""
    with nginx() as folder:
        port, other = free_port(), free_port()
        issued = certified(folder)
        text = NGINX.replace("server SERVER UPSTREAM", f"server {HOST}:{app}; keepalive 64;")
        lines = f"listen {HOST}:{port} ssl; ssl_certificate {issued.certificate}; ssl_certificate_key {issued.key};"
        text = text.replace(f"listen {HOST}:PORT;", f"listen {HOST}:PORT; {lines}")
        start(folder, text.replace("PORT", str(other)).replace("LOCATION", KEEP_ALIVE), other)
        yield port


@contextmanager
def caddy(app: int) -> Iterator[int]:
    """Caddy before the same port, with its access log on as the others'."""
    with nginx() as folder:
        port = free_port()
        issued = certified(folder)
        site = {
            "listen": [f"{HOST}:{port}"],
            "routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": f"{HOST}:{app}"}]}]}],
            "tls_connection_policies": [{}],
            "automatic_https": {"disable": True},
            "logs": {},
        }
        pair = {"certificate": str(issued.certificate), "key": str(issued.key)}
        apps = {"http": {"servers": {"site": site}}, "tls": {"certificates": {"load_files": [pair]}}}
        (folder / "caddy.json").write_text(json.dumps({"admin": {"disabled": True}, "apps": apps}))
        child = spawn(folder, ["caddy", "run", "--config", "caddy.json"], HOME=str(folder), XDG_DATA_HOME=str(folder))
        try:
            until(lambda: listens(port))
            yield port
        finally:
            end(child.pid, signal.SIGTERM)


def listens(port: int) -> bool:
    """Return whether somebody listens there."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def certified(folder: Path) -> Issued:
    """Return a certificate for the address; root's workers need not read it, as the master does."""
    os.makedirs(folder / "tls", mode=0o700)
    return Authority().issue(folder / "tls", HOST)
