"""A classic project in a folder of its own, and what a user sees of it: answers, files, processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.machine import free_port

# The bounds of pooled connections in {NAME.servers}: keepalive_time and keepalive_timeout. The one line here that may
# be changed; see the folder's __init__.py.
KEEPALIVE = ("60ms", "60ms")

BIN = Path(sys.executable).parent
SERVER = Path(__file__).with_name("server.py")
PATIENCE = 60.0  # seconds: for a machine that is slow


class Site:
    """By default one service, `web`, whose code is VERSION; its configuration says nothing that 2011 did not know."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zddclassic", dir="/tmp"))
        self.folder.chmod(0o755)  # nginx's workers may be another user
        self.port = free_port()
        self.file = self.folder / "deploy.conf"
        self.release("1")
        self.configure(web={})
        self.template(WEB)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def release(self, version: str) -> None:
        """Make another version of the code."""
        self.write("VERSION", version)

    def configure(self, **services: dict[str, str]) -> None:
        """Write deploy.conf; what is not said of a service is that of server.py."""
        text = "[nginx]\ntemplate: ./nginx.conf.template\npid_file: ./nginx.pid\n"
        for name, keys in services.items():
            own = {"pid_file": f"{name}.pid", "start": start(name), "stop": "kill -TERM"} | keys
            text += f"\n[service:{name}]\n" + "".join(f"{key}: {value}\n" for key, value in own.items())
        self.write("deploy.conf", text)

    def template(self, text: str, name: str = "nginx.conf.template") -> str:
        """Write the template, with this project's own port for PORT; returns its text."""
        return self.write(name, text.replace("PORT", str(self.port))).read_text()

    def deploy(self, *args: str, code: int = 0, cwd: Path | None = None, **env: str) -> str:
        """Run zddeploy, in the project's folder if nothing else is said; returns all that it printed."""
        result = subprocess.run(
            [BIN / "zddeploy", *args],
            cwd=cwd or self.folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"} | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert result.returncode == code, f"exit {result.returncode}\n{result.stdout}"
        return result.stdout

    def get(self, path: str = "/") -> str:
        """Ask nginx; returns the whole answer."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def number(self, name: str) -> int:
        """The number in a pid or port file."""
        return int((self.folder / name).read_text())

    def port_of(self, service: str) -> int:
        """Where the instance that the server's own pid file names listens, says PID.port."""
        return self.number(f"{self.number(f'{service}.pid')}.port")

    def conf(self) -> bytes:
        """What nginx reads."""
        return (self.folder / "nginx.conf").read_bytes()

    def reloads(self) -> int:
        """How often nginx was sent HUP; its error_log is told of such things."""
        return (self.folder / "error.log").read_text().count("(SIGHUP) received")

    def files(self) -> dict[str, bytes]:
        """The files that a failed deploy must leave as they were."""
        names = ("*.pid", "*.port", "nginx.conf")
        return {str(path): path.read_bytes() for name in names for path in self.folder.glob(name)}

    def processes(self) -> set[int]:
        """What works in the folder, or has it in its command line: services and nginx."""
        found = {pid for pid in pids() if pid != os.getpid() and str(self.folder) in title(pid)}
        for pid in pids():
            with contextlib.suppress(OSError):
                if Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(self.folder):
                    found.add(pid)
        return {pid for pid in found if lives(pid)}

    def end(self) -> None:
        """Take it down; nothing of it may be left running."""
        try:
            self.write("go", "")
            self.deploy("down", "-c", str(self.file))
            eventually(lambda: not self.processes())
        finally:
            for pid in self.processes():
                os.kill(pid, 9)
            places = ("/var/lib/zdd", "/run/zdd", Path.home() / ".local/state/zdd")
            for folder in (self.folder, *(Path(place, self.folder.name) for place in places)):
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def visited(self) -> Iterator[None]:
        """Somebody asks for / all the time, and is never refused nor answered anything but 200."""
        done = threading.Event()
        bad: list[str] = []
        good: list[str] = []

        def visit() -> None:
            while not done.wait(0.005):
                try:
                    answer = self.get()
                except ConnectionResetError:
                    answer = ""
                except OSError as error:
                    answer = str(error)
                if answer:  # an nginx that is reloaded may close a connection that it has not read yet
                    (good if answer.startswith("HTTP/1.1 200 ") else bad).append(answer)

        visitor = threading.Thread(target=visit)
        visitor.start()
        try:
            yield
        finally:
            done.set()
            visitor.join()
        assert bad == []
        assert good


def start(name: str, *options: str) -> str:
    """The start command of a service of this folder's."""
    return " ".join([sys.executable, "-I", "-S", str(SERVER), name, *options])


def servers(port: int) -> str:
    """What {NAME.servers} stands for, on a line of its own that is indented by eight."""
    pool = f"keepalive 64;\nkeepalive_time {KEEPALIVE[0]};\nkeepalive_timeout {KEEPALIVE[1]};"
    return f"server 127.0.0.1:{port};\n{pool}".replace("\n", "\n" + 8 * " ")


def eventually(check: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s"
        time.sleep(0.02)


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip().decode(errors="replace")
    except OSError:
        return ""


def stat(pid: int) -> list[str]:
    """Its state, its parent and so on (proc_pid_stat(5)); nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def lives(pid: int) -> bool:
    return stat(pid)[:1] not in ([], ["Z"], ["X"])


def await_end(pid: int) -> None:
    """Wait until the process has ended."""
    eventually(lambda: not lives(pid))


def await_childless(pid: int) -> None:
    """Wait until the process has no children, or has ended itself."""
    eventually(lambda: not children(pid))


def children(pid: int) -> set[int]:
    return {child for child in pids() if stat(child)[1:2] == [str(pid)] and lives(child)}


WEB = """\
pid {nginx_pid_filename};
error_log error.log notice;
worker_processes 2;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    upstream web { server 127.0.0.1:{web}; }
    server {
        listen 127.0.0.1:PORT;
        location / { proxy_pass http://web; }
    }
}
"""
