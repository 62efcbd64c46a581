"""A folder with an nginx in it, which leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.machine import free_port
from tests.waiting import eventually
from zdd.conf import read
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.config import render
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.external import ExternalNginx
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.nginx import NginxProcess
from zdd.paths import Paths

from .app import App, Behaviour


class House:
    def __init__(self, program: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="zdd-")
        os.chmod(self.folder, 0o755)  # workers of root's nginx are somebody else
        self.commands = Commands()
        self.binary = Binary(program, self.commands)
        self.conf_file = f"{self.folder}/nginx.conf"
        self.pid_file = f"{self.folder}/nginx.pid"
        self.error_log = f"{self.folder}/error.log"
        self.port = free_port()
        self.nginx = self.one()
        self._apps: list[App] = []

    def one(self, patience: float = 20.0, clock: Clock | None = None) -> NginxProcess:
        """The same nginx, led by somebody with other ideas of time."""
        clock = clock or Clock()
        return NginxProcess(self.binary, self.conf_file, self.pid_file, self.folder, self.commands, clock, patience)

    def external(
        self,
        reload: str,
        test: str | None = None,
        patience: float = 20.0,
        include: str = "upstreams.conf",
        more: str = "",
    ) -> ExternalNginx:
        """The nginx of the house as somebody else's, which these commands test and reload."""
        os.makedirs(f"{self.folder}/S", exist_ok=True)
        Path(self.folder, "deploy.toml").write_text(f"""
[zdd]
project = "shop"
state_dir = "S"
runtime_dir = "R"
[nginx]
binary = "{self.binary.path}"
pid_file = "{self.pid_file}"
include = "{include}"
reload = {json.dumps(reload)}
{f"test = {json.dumps(test)}" if test else ""}
[service.web]
run = "app"
{more}
""")
        config = read.load(Path(self.folder, "deploy.toml"))
        made = ExternalNginx(config, Paths(config), self.commands, Clock())
        made.process.patience = patience
        return made

    def app(self, name: str, behaviour: Behaviour | None = None, tcp: bool = False) -> App:
        path = f"{self.folder}/{name}.sock"
        self._apps.append(App(name, None if tcp else path, behaviour))
        if not tcp:
            os.chmod(path, 0o777)
        return self._apps[-1]

    def simple(self, answer: str, more: str = "", top: str = "") -> str:
        """The text of an nginx that always gives this answer."""
        temporary = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""\
pid {self.pid_file};
error_log {self.error_log};
worker_processes 2;
{top}
events {{}}
http {{
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{self.port};
        location / {{ return 200 "{answer}"; }}
        {more}
    }}
}}
"""

    def setup(self, *apps: App, **changes: object) -> Setup:
        """One service, web, with these apps as its slots."""
        given: dict[str, object] = {
            "pid_file": self.pid_file,
            "error_log": self.error_log,
            "temp_folder": f"{self.folder}/temp",
            "listen": [f"127.0.0.1:{self.port}"],
            "routes": [Route("web")],
            "upstreams": {"web": [app.target for app in apps]},
        }
        return Setup(**(given | changes))  # type: ignore[arg-type]

    def serve(self, *apps: App, **changes: object) -> str:
        """Have nginx run zdd's own text; returns it."""
        rendered = render.render(self.setup(*apps, **changes), self.binary.version)
        self.nginx.apply(rendered)
        return rendered

    def workers(self) -> list[Process]:
        """Those that take new requests, once they are all there."""
        eventually(lambda: len(self.nginx.workers()) == 2)
        return self.nginx.workers()

    def files(self) -> set[str]:
        return set(os.listdir(self.folder))

    def processes(self) -> list[Process]:
        """Every nginx that belongs here: its master names the folder, and its workers log into it."""
        found = []
        for pid in process.parents():
            title = process.title(pid)
            if title.startswith("nginx: ") and (self.folder in title or _logs_into(pid, self.folder)):
                found.append(Process.find(pid))
        return [one for one in found if one]

    def end(self) -> None:
        self.nginx.stop(2.0)
        process.end(self.processes(), signal.SIGKILL, 10.0, Clock().now)
        left = self.processes()
        for app in self._apps:
            app.close()
        shutil.rmtree(self.folder)
        assert left == []


def _logs_into(pid: int, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/2").startswith(folder)
    except OSError:
        return False


def pids(processes: Sequence[Process]) -> set[int]:
    return {one.pid for one in processes}
