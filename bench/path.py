"""
The data path: zdd's own nginx text over UNIX sockets beside a plain nginx over TCP, both with keep-alive upstreams.

The app is the fastest there is, an nginx that answers by itself, with a listener for each slot. Access logs are on
everywhere. wrk, the proxy and the app share the machine, so the rates are for comparison only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import kamal, static_path
from bench.hand import KEEP_ALIVE, NGINX, run
from bench.peer import until
from bench.wrk import wrk
from tests.machine import free_port
from tests.system.project import Project, request
from zdd.host.command import Commands
from zdd.nginx.config import pool
from zdd.nginx.config.render import render
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.version import Version
from zdd.nginx.process import binary

SLOTS = (1, 3, 20)
CONNECTIONS = 64


def measure(runs: int, seconds: int, tell: Callable[[str], None]) -> list[dict[str, dict[str, float]]]:
    """Return a dictionary of all ways a run; the ways take turns."""
    from bench import secure  # here, because it is made of what is below

    with ExitStack() as stack:
        ports_of = {"app alone": stack.enter_context(backend(1))[1][0]}
        for slots in SLOTS:
            sockets, ports = stack.enter_context(backend(slots))
            ports_of[f"zdd, {slots}"] = stack.enter_context(zdd(sockets))
            ports_of[f"plain nginx, {slots}"] = stack.enter_context(plain(ports))
            if not kamal.missing():
                ports_of[f"kamal-proxy, {slots}"] = stack.enter_context(kamal_proxy(ports))
        ports_of |= static_path.ways(stack)
        urls = {name: f"http://127.0.0.1:{port}/" for name, port in ports_of.items()} | secure.ways(stack)
        found = []
        for number in range(runs):
            tell(f"data path, run {number + 1} of {runs}")
            found.append({name: wrk(url, seconds, CONNECTIONS) for name, url in urls.items()})
        return found


@contextmanager
def backend(slots: int) -> Iterator[tuple[list[str], list[int]]]:
    """The app: its sockets, and its ports."""
    with nginx() as folder:
        sockets, ports = [f"{folder}/{slot:02}" for slot in range(slots)], [free_port() for _ in range(slots)]
        addresses = [*(f"unix:{path}" for path in sockets), *(f"127.0.0.1:{port}" for port in ports)]
        listen = "".join(f"listen {address}; " for address in addresses)
        start(folder, NGINX.partition("    upstream")[0] + f"server {{ {listen} return 200 hello; }} }}", ports[0])
        for path in sockets:
            os.chmod(path, 0o666)
        yield sockets, ports


@contextmanager
def zdd(sockets: list[str]) -> Iterator[int]:
    """Zdd's own text, before slots that lead to the sockets as in a table."""
    with nginx() as folder:
        port = free_port()
        start(folder, own_text(folder, slots_to(folder, sockets), port), port)
        yield port


def slots_to(folder: Path, sockets: list[str]) -> list[str]:
    """Make slots that lead to the sockets, as in a table."""
    (folder / "tables/1/web").mkdir(parents=True)
    (folder / "current").symlink_to("tables/1")
    for number, path in enumerate(sockets):
        (folder / f"tables/1/web/{number:02}").symlink_to(path)
    return [f"unix:{folder}/current/web/{number:02}" for number in range(len(sockets))]


def own_text(folder: Path, slots: list[str], port: int) -> str:
    """Return the text that zdd renders for such slots."""
    return render(own_setup(folder, slots, port), nginx_version())


def own_setup(folder: Path, slots: list[str], port: int) -> Setup:
    """Return what that text is made of."""
    return Setup(
        pid_file=f"{folder}/nginx.pid",
        error_log=f"{folder}/error.log",
        temp_folder=f"{folder}/temp",
        listen=[f"127.0.0.1:{port}"],
        routes=[Route("web")],
        upstreams={"web": slots},
        access_log=f"{folder}/access.log",
        maintenance_file=f"{folder}/maintenance",
    )


def tail() -> float | None:
    """Return for how many seconds after a switch the pool of zdd's own text may lead to the old version."""
    return pool.longest(own_text(Path("/"), ["unix:/slot"], 1), nginx_version(), ("unix:",))


def nginx_version() -> Version:
    """Return the version of the nginx that zdd takes here."""
    return binary.find(None, None, Commands()).version


@contextmanager
def plain(ports: list[int]) -> Iterator[int]:
    """The plain nginx of the other drivers."""
    with nginx() as folder:
        port = free_port()
        servers = " ".join(f"server 127.0.0.1:{one};" for one in ports)
        text = NGINX.replace("server SERVER UPSTREAM", f"{servers} keepalive 64;")
        start(folder, text.replace("PORT", str(port)).replace("LOCATION", KEEP_ALIVE), port)
        yield port


@contextmanager
def kamal_proxy(ports: list[int]) -> Iterator[int]:
    """kamal-proxy before the same ports; it logs every request to its output by itself."""
    with nginx() as folder:
        port = free_port()
        proxy = kamal.KamalProxy(folder, port)
        try:
            proxy.deploy("web", ports)
            yield port
        finally:
            proxy.end()


@contextmanager
def nginx() -> Iterator[Path]:
    """A folder for an nginx, which is stopped in the end."""
    project = Project()
    try:
        yield project.folder
    finally:
        if (project.folder / "nginx.pid").exists():
            run(project.folder, "nginx", "-p", str(project.folder), "-c", "nginx.conf", "-s", "stop")
        project.end()


def start(folder: Path, text: str, port: int) -> None:
    """Start nginx with this text, access log on."""
    text = text.replace("FOLDER", str(folder)).replace("access_log off", f"access_log {folder}/access.log")
    (folder / "nginx.conf").write_text(text)
    run(folder, "nginx", "-p", str(folder), "-c", "nginx.conf")
    until(lambda: "200 OK" in request(port))
