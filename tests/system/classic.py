"""A project of classic services: `deploy.conf`, an nginx template, and services that are quick to start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process
from zdd.load import Kind

from .project import Beside, Project, assert_nothing_lost, assert_only_reloads_cost, leftovers

WEB = Path(__file__).with_name("classic_web.py")

LIGHT = (Kind(weight=3), Kind("POST", "/echo", body=500))

# Everything that must be exactly as before once a deploy has failed.
Traces = tuple[dict[str, str], set[Process]]


class ClassicProject(Project):
    """By default it has one service, `web`; its code is VERSION."""

    def __init__(self) -> None:
        super().__init__()
        self.release("1")
        self.configure()

    def configure(self, nginx: Mapping[str, str] | None = None, **services: Mapping[str, str]) -> None:
        """Write deploy.conf and the template; keys of a service that are not given are those of a `web.py`."""
        services = services or {"web": {}}
        sections = {
            "zdd": self.places,
            "nginx": {"template": "./nginx.conf.template", "pid_file": "./nginx.pid"} | dict(nginx or {}),
        }
        for name, keys in services.items():
            own = {"pid_file": f"{name}.pid", "start": web(name), "stop": "kill"}
            sections[f"service:{name}"] = own | dict(keys)
        lines = [f"\n[{title}]\n" + "".join(f"{k}: {v}\n" for k, v in keys.items()) for title, keys in sections.items()]
        self.write("deploy.conf", "".join(lines).lstrip())
        self.template(*services)

    def template(self, *services: str, more: str = "") -> None:
        """Write the template; the first service is at /, any other at its name."""
        upstreams = "".join(f"upstream {name} {{ server 127.0.0.1:{{{name}}}; }}\n" for name in services)
        others = "".join(f"location /{name} {{ proxy_pass http://{name}; }}\n" for name in services[1:])
        text = TEMPLATE.replace("PORT", str(self.port)).replace("FIRST", services[0])
        self.write("nginx.conf.template", text.replace("UPSTREAMS", upstreams).replace("MORE", others + more))

    @property
    def places(self) -> dict[str, str]:
        """The keys of [zdd] that keep all files of the project in its folder."""
        return {"project": "shop", "state_dir": str(self.state), "runtime_dir": str(self.runtime)}

    def release(self, version: str) -> None:
        """Make another version of the code."""
        self.write("VERSION", version)

    def held(self, name: str) -> str:
        """The start command of a service of ours that waits until `let_start`."""
        (self.folder / "go").unlink(missing_ok=True)
        return f"sh -c 'echo held; while test ! -e go; do sleep 0.02; done; exec \"$@\"' sh {web(name)}"

    def hold_starts(self) -> None:
        """Have new instances wait until `let_start`."""
        self.configure(web={"start": self.held("web")})

    def let_start(self) -> None:
        self.write("go", "")

    @contextlib.contextmanager
    def deploying(self, *args: str) -> Iterator[Beside]:
        """Run zddeploy beside the test; begins when an instance of it is held, and lets it go in the end."""
        before = self.log("*-*.log").count("held")
        child = self.beside(*args)
        try:
            eventually(lambda: self.log("*-*.log").count("held") > before)
            yield child
        finally:
            self.let_start()
            child.wait(60)

    def traces(self) -> Traces:
        """What the deploys so far have left: pid and port files and nginx's text; and the processes, nginx's too."""
        names = ("*.pid", "*.port", "nginx.conf", "nginx.conf.[!t]*", "R/current", "R/control/*")
        files = {str(path): path.read_text() for name in names for path in self.folder.glob(name) if path.is_file()}
        pids = [pid for pid, _ in leftovers(self.folder)]
        return files, {found for pid in pids if (found := Process.find(pid))}

    def pid(self, name: str = "web") -> int:
        """The process that zdd holds to be the current instance."""
        return int((self.folder / f"{name}.current.pid").read_text())

    def nginx_pids(self) -> list[int]:
        """nginx's master, then its workers."""
        master = int((self.folder / "nginx.pid").read_text())
        return [master, *process.descendants(master)]

    def kill_nginx(self) -> None:
        pids = self.nginx_pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(Process.find(pid) for pid in pids))

    def end(self) -> None:
        self.let_start()
        super().end()

    def states(self, service: str = "web") -> dict[str, str]:
        """The states of a service's instances as `status` shows them."""
        found = next(one for one in self.status()["services"] if one["name"] == service)
        return {instance["id"]: instance["state"] for instance in found["instances"]}


def snapshot(project: ClassicProject) -> dict[str, tuple[int, int]]:
    """Every file and folder there is, with what would tell that it was touched."""
    paths = [project.folder, *sorted(project.folder.rglob("*"))]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in paths}


def web(name: str, *options: str) -> str:
    """The start command of a service of ours."""
    return " ".join([sys.executable, "-I", "-S", str(WEB), name, *options])


@contextlib.contextmanager
def bystander() -> Iterator[int]:
    """A process that has nothing to do with anything, and that must be alive in the end."""
    with subprocess.Popen(["sleep", "600"]) as child:
        try:
            yield child.pid
            assert child.poll() is None, "somebody else's process was ended"
        finally:
            child.kill()


@contextlib.contextmanager
def light_load(project: Project, reloads: bool = False) -> Iterator[None]:
    """Some requests beside what is done here; none of them may fail, but for what a reload of nginx costs."""
    with project.load(LIGHT, rate=100, connections=8) as load:
        time.sleep(0.1)
        yield
        time.sleep(0.1)
        report = load.stop()
    if reloads:
        assert_only_reloads_cost(report)
    else:
        assert_nothing_lost(report)


TEMPLATE = """\
pid {nginx_pid_filename};
error_log error.log;
worker_processes 2;
events { worker_connections 512; }
http {
    access_log off;
    log_format braces '{"host": "$host", "port": "{port}"}';
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    UPSTREAMS
    server {
        listen 127.0.0.1:PORT;
        location / { proxy_pass http://FIRST; }
        MORE
    }
}
"""
