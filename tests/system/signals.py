"""What a recipe's app can meet while it serves, and what becomes of its site then."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import eventually
from zdd.host import net_unix, process, sock_diag

from .project import Project
from .recipe import Recipe

RECORD = Path(__file__).parents[2] / "samples" / "recipes" / "signals.json"
ON, AGAIN, NO_WORKERS, NOT_OFFERED = "serves on", "restarted", "has none", "needs fd"
DOWN, OLD, NONE_FAILED = "down, then serves", "the old one serves", "none fails"
MEETINGS = {  # what it meets, and all that may become of it
    "TERM": (ON, AGAIN),
    "QUIT": (ON, AGAIN),
    "HUP": (ON, AGAIN),
    "KILL": (AGAIN,),
    "KILL to a worker": (ON, AGAIN, NO_WORKERS),
    "HUP, broken code": (ON, DOWN),
    "burst": (NONE_FAILED,),
    "stop-first, broken": (OLD, NOT_OFFERED),
}
HOLD, HOLD_SWAP = 4.0, 25.0  # hold_max, in seconds; the second for a deploy, in which a JVM has to start
STALL, BURST = 2.0, 250  # seconds without an answer, and connections that come meanwhile
PATIENCE = 60.0  # for what has to happen, on machines that are slow
UNKNOWN = 12.0  # for what may happen, while nothing is recorded
QUIET = 3.0  # in which nothing happens where nothing should; once longer than a hold where code is broken
CODE = (  # of these the first that is there is broken
    "mysite/settings.py",
    "app.py",
    "main.py",
    "server.mjs",
    "cluster.mjs",
    "server.ts",
    "app.js",
    "main.js",
    "Server.java",
    "server.go",
    "config.ru",
    "app.php",
    "app.psgi",
    "package.json",
)


def recorded() -> dict[str, dict[str, str]]:
    """The table of the docs: for each recipe, what became of it."""
    found: dict[str, dict[str, str]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return found


def record(name: str, met: dict[str, str]) -> None:
    folder = os.open(RECORD.parent, os.O_RDONLY)  # tests that run beside this one write to it as well
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        table = dict(sorted((recorded() | {name: met}).items()))
        RECORD.write_text(json.dumps(table, indent=2) + "\n")
    finally:
        os.close(folder)


class Site:
    """A recipe that is deployed, with a short hold_max; `known` is what is recorded of it, as far as something is."""

    def __init__(self, project: Project, recipe: Recipe, known: dict[str, str]) -> None:
        self.project, self.recipe, self.known = project, recipe, known
        self.code = next(path for name in CODE if (path := project.folder / name).exists())
        self.good = self.code.read_text()
        self.broken = "<?php this is no code (" if self.code.suffix == ".php" else "this is no code ("
        self._configure(f'hold_max = "{HOLD:g}s"')
        project.zddeploy()

    def meet(self, what: str) -> str:
        """Have it meet that; returns what became of it, or in which way it is broken. It serves afterwards."""
        acts: dict[str, Callable[[], str]] = {
            "KILL to a worker": self._lose_worker,
            "HUP, broken code": self._reload_broken_code,
            "burst": self._stall,
            "stop-first, broken": self._deploy_broken_code,
        }
        act = acts.get(what) or (lambda: self._signal(self.app(), signal.Signals[f"SIG{what}"], what))
        try:
            outcome = act()
            if not self.serves(HOLD + PATIENCE / 2):
                outcome = f"{outcome}, but answers {self.answer()}; {self._told()}"
            elif (told := self._told()) != "serving":
                outcome = f"{outcome}, but {told}"
        except AssertionError as error:
            outcome = f"broken: {str(error).splitlines()[0]}"
        self.code.write_text(self.good)
        if not self.serves(1.0) or self._told() != "serving":
            self.project.zddeploy("restart", code=None)
        return outcome

    def app(self) -> int:
        return int(self._instance()["pid"])

    def answer(self) -> int | str:
        """The status of a GET, or what is there instead."""
        connection = http.client.HTTPConnection("127.0.0.1", self.project.port, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": self.host, "Connection": "close"})
            return connection.getresponse().status
        except OSError as error:
            return type(error).__name__
        finally:
            connection.close()

    @property
    def host(self) -> str:
        found = re.search(r'(?m)^health_host = "(.+)"', self.recipe.text)
        return found[1] if found else "localhost"

    def serves(self, seconds: float) -> bool:
        """Wait until it answers well."""
        deadline = time.monotonic() + seconds
        while (status := self.answer()) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        return status == 200

    def _signal(self, pid: int, number: int, what: str) -> str:
        before = self._life()
        os.kill(pid, number)
        return AGAIN if self._happens(lambda: self._life() != before, AGAIN, what, QUIET) else ON

    def _lose_worker(self) -> str:
        found = [pid for pid in process.descendants(self.app()) if self._holds(pid)]
        return self._signal(found[-1], signal.SIGKILL, "KILL to a worker") if found else NO_WORKERS

    def _reload_broken_code(self) -> str:
        self.code.write_text(self.broken)
        os.kill(self.app(), signal.SIGHUP)
        if not self._happens(lambda: self._instance()["state"] == "down", DOWN, "HUP, broken code", 2 * HOLD + QUIET):
            return ON
        told = self.project.zddeploy("status", code=1).stdout
        assert "DOWN" in told, f"status does not tell that it is down: {told}"
        said = [line for line in self.project.log("web-*.log*").splitlines() if line.startswith("zdd: ")]
        assert any("DOWN" in line for line in said), f"the log does not tell that it is down: {said[-3:]}"
        self.code.write_text(self.good)
        assert self.serves(PATIENCE), "with good code it does not serve again"
        return DOWN

    def _stall(self) -> str:
        """Its processes stand still while connections come: none of them is refused."""
        pids = process.descendants(process.parents()[self.app()])
        calls = []
        with contextlib.ExitStack() as stack:
            for pid in pids:
                stack.callback(_send, pid, signal.SIGCONT)
                _send(pid, signal.SIGSTOP)
            until = time.monotonic() + STALL
            for _ in range(BURST):
                call = socket.create_connection(("127.0.0.1", self.project.port), PATIENCE)
                call.sendall(f"GET / HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
                calls.append(call)
            time.sleep(max(0.0, until - time.monotonic()))
        answers = [_first_line(call) for call in calls]
        failed = [line for line in answers if " 200 " not in line]
        return f"{len(failed)} of {BURST} fail: {failed[0]}" if failed else NONE_FAILED

    def _deploy_broken_code(self) -> str:
        """A stop-first deploy of a folder whose code is broken; before, one of the folder that is there."""
        if self.recipe.way != "fd":
            return NOT_OFFERED
        folder = self.project.folder
        self._configure(f'hold_max = "{HOLD_SWAP:g}s"', 'order = "stop-first"')
        self.project.zddeploy()
        name = self._instance()["id"]
        ours = shutil.ignore_patterns("S", "R", "deploy.toml", "pm2", "broken")
        shutil.copytree(folder, folder / "broken", symlinks=True, ignore=ours)
        (folder / "broken" / self.code.relative_to(folder)).write_text(self.broken)
        self._configure(
            f'hold_max = "{HOLD_SWAP:g}s"', 'order = "stop-first"', f'cwd = "{folder}/broken"', 'start_timeout = "5s"'
        )
        failed = self.project.zddeploy(code=None)
        assert failed.returncode == 1, f"exit {failed.returncode}: {failed.stderr}"
        eventually(lambda: self._instance()["id"] == name and self._instance()["state"] == "serving")
        return OLD

    def _configure(self, *lines: str) -> None:
        """Have these keys in the service, in place of those that were there."""
        text = (self.project.folder / "deploy.toml").read_text()
        if self.code.suffix == ".go":
            cwd = next((line.partition(" = ")[2].strip('"') for line in lines if line.startswith("cwd")), ".")
            lines = (*lines, f'before_start = "cd {cwd} && go build -o server server.go"')
        for line in (*lines, 'before_start = ""'):
            text = re.sub(f"(?m)^{line.partition(' = ')[0]} = .*\n", "", text)
        self.project.write("deploy.toml", text.replace("[service.web]\n", "\n".join(["[service.web]", *lines, ""])))

    def _happens(self, check: Callable[[], bool], outcome: str, what: str, quiet: float) -> bool:
        """Wait for what is recorded to happen, or so long that it would have happened."""
        expected = self.known.get(what)
        deadline = time.monotonic() + (
            max(UNKNOWN, quiet) if expected is None else PATIENCE if expected == outcome else quiet
        )
        while not (happened := check()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return happened

    def _life(self) -> tuple[object, ...]:
        one = self._instance()
        return one["restarts"], one["pid"]

    def _holds(self, pid: int) -> bool:
        return bool(sock_diag.listeners([pid]) if self.recipe.way == "tcp" else net_unix.listening_paths([pid]))

    def _instance(self) -> dict[str, Any]:
        """The newest one."""
        rows = self.project.instances()
        return rows[max(rows, key=lambda name: int(name.rpartition("-")[2]))]

    def _told(self) -> str:
        """What status says of it, once it knows better."""
        deadline = time.monotonic() + PATIENCE / 2
        while (found := self.project.status())["state"] != "serving" and time.monotonic() < deadline:
            time.sleep(0.1)
        return "serving" if found["state"] == "serving" else f"status says {found['state']}: {found['problems'][:1]}"


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _first_line(call: socket.socket) -> str:
    with call:
        try:
            return b"".join(iter(lambda: call.recv(65536), b"")).decode(errors="replace").partition("\r\n")[0]
        except OSError as error:
            return type(error).__name__
