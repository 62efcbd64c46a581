"""A project as a user has it: files in a folder, and the real `zddeploy` run on them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.again import LOST
from tests.machine import free_port, has_read
from tests.waiting import eventually
from zdd.host import process
from zdd.load import Kind, Load, Report, Spec

SAMPLES = Path(__file__).parents[2] / "samples"
BIN = Path(sys.executable).parent

APPS = Path(__file__).parent / "apps"
DEPLOYS = int(os.environ.get("ZDD_DEPLOYS", "8"))
RATE = float(os.environ.get("ZDD_RATE", "300"))  # requests a second

MIXED = (Kind(weight=3), Kind("POST", "/echo", body=2000, weight=2))
THE_SECOND = 1.2  # seconds: so long after a switch nginx's pooled connections may lead to the old version
LIGHT: dict[str, Any] = {"rate": 100, "connections": 8}

# How a service with `run` is started; `plain.py` is of the standard library and takes 50 ms to start.
PLAIN = {"run": "python -S plain.py {fd}"}
PLAIN_UNIX = {"run": "python -S plain.py {socket}", "socket": "unix"}
PLAIN_TCP = {"run": "python -S plain.py {port}", "socket": "tcp"}
WORKER = {"run": "python -S plain.py none", "socket": "none", "min_uptime": "100ms"}
JOB = {"run": "python -S job.py", "socket": "none", "health_command": "test -e $ZDD_INSTANCE", "stop_timeout": "60s"}
UVICORN = {"run": "uvicorn --fd {fd} --log-level warning asgi:app"}
UVICORN_TCP = {"run": "uvicorn --port {port} --log-level warning asgi:app", "socket": "tcp"}
GUNICORN = {"run": "gunicorn --threads 32 --keep-alive 10 wsgi:app"}
GRANIAN = {"run": "granian --interface asgi --uds {socket} asgi:app", "socket": "unix"}


class Project:
    """Its folder lies right below /tmp: the path of a UNIX socket may have 107 bytes."""

    within: tuple[str, ...] = ()  # the command that runs zddeploy, in a namespace for example

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zdd", dir="/tmp"))
        self.folder.chmod(0o755)  # nginx's workers must be able to pass
        self.port = free_port()
        self._children: list[Beside] = []

    @property
    def state(self) -> Path:
        """Where the configurations that `section` begins keep their state."""
        return self.folder / "S"

    @property
    def runtime(self) -> Path:
        return self.folder / "R"

    def section(self, **more: str) -> str:
        """The [zdd] section that keeps all files of the project in its folder."""
        keys = {"project": "shop", "state_dir": str(self.state), "runtime_dir": str(self.runtime), **more}
        return "[zdd]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file where it says `old`."""
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def zddeploy(self, *args: str, code: int | None = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run zddeploy in the project's folder and check its exit code, unless that is None."""
        result = subprocess.run(
            [*self.within, BIN / "zddeploy", *args],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or result.returncode == code, f"exit {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def beside(self, *args: str) -> Beside:
        """Run zddeploy beside the test."""
        self._children.append(Beside(self.folder, args, self.within))
        return self._children[-1]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.zddeploy("status", "--json", code=None).stdout.splitlines()[-1])
        return found

    def events(self, *args: str, code: int | None = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.zddeploy("--json", *args, code=code).stdout.splitlines()]

    def instances(self, service: str = "web") -> dict[str, dict[str, Any]]:
        """What status tells of each instance of a service, by name."""
        found = next(one for one in self.status()["services"] if one["name"] == service)
        return {instance["id"]: instance for instance in found["instances"]}

    def serving(self, service: str = "web") -> dict[str, int]:
        """The instances of a service that serve, and their apps' processes."""
        return {name: one["pid"] for name, one in self.instances(service).items() if one["state"] == "serving"}

    def load(self, kinds: tuple[Kind, ...] = MIXED, **options: Any) -> Load:
        spec: dict[str, Any] = {"rate": 300, "connections": 32, "record": "X-Release", "timeout": 60} | options
        return Load(Spec(f"127.0.0.1:{self.port}", kinds, **spec))

    def get(self, path: str = "/", host: str = "localhost") -> str:
        return request(self.port, path, host)

    def log(self, pattern: str) -> str:
        return "".join(path.read_text() for path in sorted(self.state.glob(f"logs/{pattern}")) if path.is_file())

    def reboot(self) -> None:
        """What a reboot leaves where R is on disk: every process gone, all files as they were, another boot's id."""
        for _ in range(2):  # a keeper that is killed last has restarted nothing
            for pid, _ in leftovers(self.folder):
                if found := process.Process.find(pid):
                    found.signal(9)
                    found.wait(30)
        owner = json.loads((self.runtime / "owner").read_text())
        (self.runtime / "owner").write_text(json.dumps(owner | {"boot_id": "another"}))

    def end(self) -> None:
        """Take it down, and remove what it had; what it left behind is a failure."""
        for child in self._children:
            child.forget()
        try:
            if list(self.folder.glob("deploy.*")):
                self.zddeploy("down", code=None)
            # A keeper that still relayed somebody to another instance ends with the nginx that this one came from.
            eventually(lambda: leftovers(self.folder) == [])
        finally:
            for pid in [pid for pid, _ in leftovers(self.folder)]:
                if found := process.Process.find(pid):
                    found.signal(9)
            shutil.rmtree(self.folder, ignore_errors=True)


class Beside(subprocess.Popen[bytes]):
    """A zddeploy that runs beside the test."""

    def __init__(self, folder: Path, args: tuple[str, ...], within: tuple[str, ...] = ()) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process is of interest)
        command = [*within, str(BIN / "zddeploy"), *args]
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": self._output, "stderr": subprocess.STDOUT}
        super().__init__(command, cwd=folder, env=env, **streams)

    def said(self) -> str:
        """All it has printed so far."""
        return os.pread(self._output.fileno(), 65536, 0).decode()

    def forget(self) -> None:
        self.kill()
        self.wait()
        self._output.close()


class SampleProject(Project):
    """A copy of a sample, in a folder of its own name; only nginx's port is another."""

    def __init__(self, sample: str) -> None:
        super().__init__()
        shutil.copytree(SAMPLES / sample, self.folder, dirs_exist_ok=True)
        template = self.folder / "nginx.conf.template"
        text = template.read_text()
        listen = next(line for line in text.splitlines() if line.strip().startswith("listen "))
        template.write_text(text.replace(listen, f"listen 127.0.0.1:{self.port};"))

    @property
    def places(self) -> list[Path]:
        """S and R, which a configuration without [zdd] has in the system's folders."""
        name = self.folder.name
        home = Path.home() / ".local/state/zdd"
        return [Path("/var/lib/zdd") / name, Path("/run/zdd") / name] if os.geteuid() == 0 else [home / name]

    def release(self, version: str) -> None:
        """Make another version of the code."""
        self.write("VERSION", version)

    def end(self) -> None:
        super().end()
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)


def configure(project: Project, *services: str, nginx: str = "", **zdd: str) -> None:
    """Have these services in deploy.toml behind zdd's own nginx, the apps beside it, and version 1."""
    shutil.copytree(APPS, project.folder, dirs_exist_ok=True)
    listen = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n{nginx}'
    project.write("deploy.toml", project.section(**zdd) + listen + "\n".join(services))
    version(project, 1)


def service(name: str, **keys: object) -> str:
    """A service's section; what JSON writes TOML reads, but for tables."""
    lines = []
    for key, value in keys.items():
        pairs = [f"{word} = {json.dumps(text)}" for word, text in value.items()] if isinstance(value, dict) else None
        lines.append(f"{key} = {json.dumps(value) if pairs is None else '{' + ', '.join(pairs) + '}'}")
    return "\n".join([f"[service.{name}]", *lines, ""])


def version(project: Project, number: object) -> None:
    """Make another version of the apps."""
    project.write("VERSION", str(number))


def template(project: Project, locations: str, http: str, *services: str) -> None:
    """Write nginx.conf.template, the user's own text, with an upstream for each service of the table."""
    upstreams = "".join(f"    upstream {name} {{\n        {{{name}.servers}}\n    }}\n" for name in services)
    text = TEMPLATE.replace("PORT", str(project.port)).replace("LOCATIONS", locations).replace("HTTP", http)
    project.write("nginx.conf.template", text.replace("UPSTREAMS", upstreams))


def nginx_workers(project: Project) -> set[int]:
    master = int((project.runtime / "nginx.pid").read_text())
    return {pid for pid, parent in process.parents().items() if parent == master}


def request(port: int, path: str = "/", host: str = "localhost") -> str:
    """One GET; returns the whole answer."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def leftovers(folder: Path) -> list[tuple[int, str]]:
    """Processes that still work in the folder, log into it (nginx's workers) or were told of it."""
    found = []
    for pid in process.parents():
        if pid == os.getpid():
            continue
        title = process.title(pid)
        if str(folder) in title or any(_leads_below(f"/proc/{pid}/{what}", folder) for what in ("cwd", "fd/2")):
            found.append((pid, title))
    return found


def _leads_below(link: str, folder: Path) -> bool:
    try:
        return Path(os.readlink(link)).is_relative_to(folder)
    except OSError:
        return False


def assert_nothing_lost(report: Report) -> None:
    assert report.total_failed == 0, f"{LOST}: {dict(report.failed)} of {report.requests}: {report.failures[:5]}"
    assert report.ok > 0


def assert_only_reloads_cost(report: Report) -> None:
    """
    None was refused, cut, late or answered wrongly.

    An nginx before 1.27.4 that is reloaded closes the idle connections it has, and a request that is on its way just
    then meets a reset: no deployer can help that, so these alone are no failure.
    """
    assert set(report.failed) <= {"reset"}, f"{LOST}: {dict(report.failed)} of {report.requests}: {report.failures[:5]}"
    assert report.ok > 0


class Call:
    """One request of somebody who sends its body, and reads its answer, as slowly as the test wants."""

    def __init__(self, project: Project, path: str, body: int | None = None) -> None:
        self.connection = socket.create_connection(("127.0.0.1", project.port), 60)
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [] if body is None else [f"Content-Length: {body}"]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def await_read(self) -> None:
        """Wait until nginx has all that was sent so far."""
        eventually(lambda: has_read(self.connection.getpeername(), self.connection.getsockname()))

    def answer(self) -> str:
        """The whole answer, once it is there."""
        with self.connection:
            return b"".join(iter(lambda: self.connection.recv(65536), b"")).decode()


def busy(project: Project, *how_long: float | str, path: str = "") -> list[Call]:
    """Requests to plain.py that take so many seconds, or until this file is there; it is at work on all of them."""

    def at_work() -> int:
        return project.log("*.log").count("is busy\n")

    before = at_work()
    calls = [Call(project, f"{path}/slow/{one}") for one in how_long]
    eventually(lambda: at_work() == before + len(how_long))
    return calls


HEAD = """\
user www-data;
pid {nginx_pid_filename};
error_log error.log;
worker_processes 2;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
"""
TEMPLATE = (
    HEAD
    + """\
    HTTP
UPSTREAMS
    server {
        listen 127.0.0.1:PORT;
        LOCATIONS
    }
}
"""
)
