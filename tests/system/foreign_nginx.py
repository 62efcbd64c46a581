"""An nginx that is not zdd's: it has its own configuration, pid file and program, and includes what zdd writes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process

from .project import PLAIN, Project, configure, service

PATH = f"{os.environ['PATH']}:/usr/sbin"
NGINX = shutil.which("nginx", path=PATH) or "nginx"
WORKERS = 2
CONF = """\
user USER;
pid FOLDER/nginx.pid;
error_log FOLDER/nginx.log;
worker_processes 2;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path FOLDER/temp;
    proxy_temp_path FOLDER/temp;
    fastcgi_temp_path FOLDER/temp;
    uwsgi_temp_path FOLDER/temp;
    scgi_temp_path FOLDER/temp;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    include FOLDER/upstreams*.conf;
    include FOLDER/site*.conf;
}
"""


class Foreign:
    """An nginx that is not zdd's; its program is a copy, which a test may replace."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.program = str(project.folder / "sbin-nginx")
        shutil.copy2(os.path.realpath(NGINX), self.program)

    @property
    def main(self) -> Path:
        return self.project.folder / "nginx.main"

    @property
    def pid_file(self) -> Path:
        return self.project.folder / "nginx.pid"

    def start(self, user: str = "www-data", within: Sequence[str] = ()) -> int:
        """Start it, perhaps by another command, and wait for its workers; returns its master."""
        text = CONF.replace("FOLDER", str(self.project.folder)).replace("USER", user)
        self.project.write("nginx.main", text)
        subprocess.run([*within, self.program, "-c", str(self.main)], check=True, capture_output=True, timeout=30)
        return started(self.pid_file)

    @property
    def master(self) -> int:
        return int(self.pid_file.read_text())

    def workers(self) -> set[int]:
        """The workers that it has at the moment: none right after its start."""
        return workers_of(self.master)

    def stop(self) -> None:
        if self.pid_file.exists() and (found := Process.find(self.master)):
            found.signal(signal.SIGTERM)
            assert found.wait(30)

    def section(self, pid_file: bool = True) -> str:
        test = f"{self.program} -t -q -c {self.main}"
        keys = {"include": "upstreams.conf", "test": test, "reload": f"pkill -HUP -o -F {self.pid_file}"}
        keys |= {"pid_file": str(self.pid_file)} if pid_file else {}
        return "[nginx]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())

    def lead(self, address: str = "127.0.0.1", site: str = "") -> None:
        """Lead to the service, once its upstream is written; `site` is what the server block has besides."""
        where = f"listen {address}:{self.project.port};"
        self.project.write("site.conf", f"server {{ {where} {site} location / {{ proxy_pass http://web; }} }}\n")
        self.reload()

    def reload(self) -> None:
        """Reload it as another hand does, and wait for the new workers."""
        before = self.workers()
        os.kill(self.master, signal.SIGHUP)
        eventually(lambda: len(self.workers()) == WORKERS and not before & self.workers())


def started(pid_file: Path) -> int:
    """Wait until an nginx of the text above is all there; returns its master."""
    eventually(lambda: pid_file.read_text().strip())
    master = int(pid_file.read_text())
    eventually(lambda: len(workers_of(master)) == WORKERS)
    return master


def workers_of(master: int) -> set[int]:
    """The workers that have begun: before that they have no title of their own, and are their master's user."""
    return {pid for pid in process.children(master) if "worker process" in process.title(pid)}


def configured(
    project: Project, foreign: Foreign, pid_file: bool = True, run: dict[str, str] = PLAIN, **keys: object
) -> None:
    """Have the service web behind the foreign nginx."""
    configure(project, service("web", **{"keep_warm": "0s"} | run | keys))
    text = (project.folder / "deploy.toml").read_text()
    begin, end = text.index("[nginx]"), text.index("[service.web]")
    project.write("deploy.toml", text[:begin] + foreign.section(pid_file) + text[end:])


def said(project: Project, *args: str, code: int) -> str:
    """All that a command says, in one line."""
    done = project.zddeploy(*args, code=code)
    return re.sub(r"\s+", " ", done.stdout + done.stderr)
