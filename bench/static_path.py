"""Files that the proxy serves itself: a static service of zdd's own text, plain nginx and Caddy, with one page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.hand import run, spawn
from bench.peer import until
from tests.machine import free_port
from tests.system.project import Project, request
from zdd.host.command import Commands
from zdd.nginx.config.render import render
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.static import StaticSite
from zdd.nginx.process import binary

SIZE = 1000  # bytes of the page
WHAT = "a file of 1 kB"
PLAIN = """\
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
worker_processes auto;
events { worker_connections 4096; }
http {
    access_log FOLDER/access.log;
    keepalive_requests 100000;
    sendfile on;
    types { text/html html; }
    server { listen 127.0.0.1:PORT; root FOLDER/dist; }
}
"""


def ways(stack: ExitStack) -> dict[str, int]:
    """Return the ports at which each of them serves the page, for as long as the stack is open."""
    found = {f"zdd, {WHAT}": stack.enter_context(zdd()), f"plain nginx, {WHAT}": stack.enter_context(plain())}
    if shutil.which("caddy"):
        found[f"Caddy, {WHAT}"] = stack.enter_context(caddy())
    return found


@contextmanager
def zdd() -> Iterator[int]:
    """Zdd's own text, before a slot that leads to the folder as in a table."""
    with folder() as path:
        port, program = free_port(), binary.find(None, None, Commands())
        (path / "tables/1/site").mkdir(parents=True)
        (path / "current").symlink_to("tables/1")
        (path / "tables/1/site/static").symlink_to(path / "dist")
        setup = Setup(
            pid_file=f"{path}/nginx.pid",
            error_log=f"{path}/error.log",
            temp_folder=f"{path}/temp",
            listen=[f"127.0.0.1:{port}"],
            routes=[Route("site")],
            upstreams={},
            access_log=f"{path}/access.log",
            maintenance_file=f"{path}/maintenance",
            static={"site": StaticSite(f"{path}/current/site/static", False, f"{path}/kept")},
            precompressed=program.precompressed,
        )
        start(path, render(setup, program.version), port)
        yield port


@contextmanager
def plain() -> Iterator[int]:
    """A plain nginx with a root."""
    with folder() as path:
        port = free_port()
        start(path, PLAIN.replace("FOLDER", str(path)).replace("PORT", str(port)), port)
        yield port


@contextmanager
def caddy() -> Iterator[int]:
    """Caddy's file server, with its access log."""
    with folder() as path:
        port = free_port()
        text = f"{{\n admin off\n}}\nhttp://127.0.0.1:{port} {{\n root * {path}/dist\n file_server\n log {{\n "
        (path / "Caddyfile").write_text(text + f"output file {path}/access.log\n }}\n}}\n")
        process = spawn(path, ["caddy", "run", "--config", "Caddyfile"], HOME=str(path))
        try:
            until(lambda: "200 OK" in request(port))
            yield port
        finally:
            process.terminate()
            process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with the page in dist; an nginx in it is stopped in the end."""
    project = Project()
    try:
        (project.folder / "dist").mkdir()
        (project.folder / "kept").mkdir()
        (project.folder / "dist/index.html").write_text("x" * SIZE)
        yield project.folder
    finally:
        if (project.folder / "nginx.pid").exists():
            run(project.folder, "nginx", "-p", str(project.folder), "-c", "nginx.conf", "-s", "stop")
        project.end()


def start(path: Path, text: str, port: int) -> None:
    """Start nginx with this text."""
    (path / "nginx.conf").write_text(text)
    run(path, "nginx", "-p", str(path), "-c", "nginx.conf")
    os.chmod(path, 0o755)
    until(lambda: "200 OK" in request(port))
