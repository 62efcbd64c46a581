"""What a deploy script of one's own has: the app on a port, and an nginx."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.peer import answer, until
from tests.machine import free_port
from zdd.host import process

PATIENCE = 60.0  # seconds in which what was told to end must have


class App:
    """The app on a TCP port of its own; that in Python is run by gunicorn, with these options."""

    def __init__(self, folder: Path, *options: str, port: int = 0, language: str = "Python") -> None:
        self.port = port or free_port()
        gunicorn = ["gunicorn", "--bind", f"127.0.0.1:{self.port}", *options, "shop:app"]
        command = gunicorn if language == "Python" else ["node", "shop.js"]
        self.process = spawn(folder, command, PORT=str(self.port))

    def wait(self, version: int) -> None:
        """Return when it answers."""
        until(lambda: answer(self.port) == str(version))

    def stop(self) -> None:
        """Let it finish what it has in hand, and end."""
        self.process.terminate()
        self.process.wait(PATIENCE)


class Nginx:
    """A plain nginx; `write` and `reload` are what one does with it by hand."""

    def __init__(self, folder: Path, port: int, location: str, upstream: str = "", program: str = "nginx") -> None:
        self.folder, self.port = folder, port
        self.location, self.upstream, self.program = location, upstream, program

    def write(self, app: int | str) -> None:
        """Write the configuration that leads requests to the app: its port, or an address as nginx writes it."""
        server = f"127.0.0.1:{app}" if isinstance(app, int) else app
        values = {"FOLDER": str(self.folder), "PORT": str(self.port), "LOCATION": self.location, "SERVER": server}
        text = NGINX
        for name, value in (values | {"UPSTREAM": self.upstream}).items():
            text = text.replace(name, value)
        (self.folder / "nginx.conf").write_text(text)

    def command(self, *options: str) -> None:
        """Run nginx."""
        run(self.folder, self.program, "-p", str(self.folder), "-c", "nginx.conf", *options)

    @property
    def master(self) -> int:
        """Its master process."""
        return int((self.folder / "nginx.pid").read_text())

    def reload(self) -> None:
        """Test the configuration, have it read, and wait until no worker of before is left."""
        old = set(process.descendants(self.master))
        self.command("-t", "-q")
        self.command("-s", "reload")
        until(lambda: not old & set(process.descendants(self.master)))


def spawn(folder: Path, command: Sequence[str], **env: str) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output in a file."""
    with open(folder / "output.log", "ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=os.environ | env, stdout=log, stderr=log, start_new_session=True
        )


def run(folder: Path, *command: str, **env: str) -> str:
    """Run a command to its end; raises CalledProcessError when it fails."""
    done = subprocess.run(command, cwd=folder, env=os.environ | env, check=True, capture_output=True, text=True)
    return done.stdout


def end(pid: int, number: int = signal.SIGTERM) -> None:
    """Send the signal, and wait until the process is gone."""
    found = process.Process.find(pid)
    if found:
        found.signal(number)
        if not found.wait(PATIENCE):
            raise TimeoutError(f"process {pid} did not end within {PATIENCE:g} s")


NGINX = """\
worker_processes auto;
worker_rlimit_nofile 8192;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000;
    client_body_temp_path FOLDER/temp;
    proxy_temp_path FOLDER/temp;
    fastcgi_temp_path FOLDER/temp;
    uwsgi_temp_path FOLDER/temp;
    scgi_temp_path FOLDER/temp;
    upstream app { server SERVER UPSTREAM }
    server {
        listen 127.0.0.1:PORT;
        location / {
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Host $http_host;
            proxy_redirect off;
            LOCATION
            proxy_pass http://app;
        }
    }
}
"""

KEEP_ALIVE = 'proxy_http_version 1.1; proxy_set_header Connection "";'  # ngx_http_upstream_module, keepalive
