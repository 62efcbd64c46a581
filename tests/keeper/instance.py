"""A real keeper with a real app in a folder of its own, and what its clients, nginx and the command line would do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.waiting import eventually
from zdd import keeper
from zdd.host import files, process
from zdd.host.process import Process
from zdd.keeper import client
from zdd.keeper.client import Lease

PATIENCE = 30.0
APP = Path(__file__).with_name("app.py")
HELD_UP = "while os.path.exists(os.environ['HERE'] + '/down'): time.sleep(0.005)"  # in PRELUDE
MAIN = Path(keeper.__file__).with_name("__main__.py")


def freeze(process: Process) -> None:
    """Stop a process, all its threads, and return once it has; one that has ended is as still as can be."""

    def states() -> set[str]:
        folder = f"/proc/{process.pid}/task"
        texts = [files.read(f"{folder}/{task}/stat") for task in os.listdir(folder)]
        return {text.rpartition(")")[2].split()[0] for text in texts if text}

    process.signal(signal.SIGSTOP)
    eventually(lambda: not process.alive() or states() == {"T"})


def end(process: Process) -> None:
    """Kill a process, and return once it has ended; somebody else waits for it."""
    process.signal(signal.SIGKILL)
    assert process.wait(PATIENCE)


class House:
    """R: the folders that the instances of a project share."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(dir="/tmp", prefix="zdd-")
        self.instances: list[Instance] = []
        self.deploy = 0
        os.chmod(self.path, 0o711)
        for folder in ("control", "instances", "tables"):
            os.mkdir(f"{self.path}/{folder}")

    def instance(self, **record: Any) -> Instance:
        """A new instance of the service, not started yet."""
        self.instances.append(Instance(self, f"web-{len(self.instances) + 1}", record))
        return self.instances[-1]

    def publish(self, *instances: Instance) -> None:
        """Have `current` lead to these, as the command line does."""
        self.deploy += 1
        table = f"{self.path}/tables/{self.deploy}"
        os.makedirs(f"{table}/web")
        for number, instance in enumerate(instances):
            os.symlink(f"../../../instances/{instance.name}/socket", f"{table}/web/{number:02}")
        manifest = {"instances": {found.name: {"service": "web", "port": found.tcp_port()} for found in instances}}
        files.write(f"{table}/manifest.json", json.dumps(manifest))
        files.point(f"{self.path}/current", f"tables/{self.deploy}")

    def write(self, name: str) -> None:
        """Make a file that apps look for: /wait/NAME goes on."""
        files.write(f"{self.path}/{name}", "")

    def end(self) -> None:
        """Leave no process behind, whatever the test has done to it, and no file."""
        for instance in self.instances:
            instance.end()
        # Those whose keeper the test has killed, and what double-forked away from them.
        while left := [pid for pid in process.parents() if process.environment(pid).get("HERE") == self.path]:
            for pid in left:
                if found := Process.find(pid):
                    found.signal(signal.SIGKILL)
                    found.wait(PATIENCE)
        shutil.rmtree(self.path)


class Instance:
    """One instance; it is attached to from the start unless told otherwise."""

    def __init__(self, house: House, name: str, record: dict[str, Any]) -> None:
        self.house = house
        self.name = name
        self.folder = f"{house.path}/instances/{name}"
        self.socket = f"{self.folder}/socket"
        self.keep = f"{self.folder}/keep"
        self.app_folder = f"{self.folder}/app.1"
        self.app_socket = f"{self.app_folder}/socket"
        self.control = f"{house.path}/control/{name}.sock"
        self.log = f"{house.path}/{name}.log"
        os.makedirs(self.folder)
        self.record = self._record(record)
        self.path = f"{house.path}/control/{name}.json"
        self.child: subprocess.Popen[bytes] | None = None
        self.leased: Lease | None = None
        self.seen: list[dict[str, Any]] = []
        self.port = 0  # of a tcp app, once somebody has connected

    def _record(self, given: dict[str, Any]) -> dict[str, Any]:
        env = {"PATH": os.environ["PATH"], "HERE": self.house.path, "SOCKET": f"{self.app_folder}/s"}
        record: dict[str, Any] = {
            "version": keeper.VERSION,
            "project": "test",
            "service": "web",
            "instance": self.name,
            "release": "r1",
            "argv": [sys.executable, "-I", "-S", str(APP)],
            "cwd": self.house.path,
            "socket": "fd",
            "folder": self.folder,
            "path": self.socket,
            "keep": self.keep,
            "waiting": f"{self.folder}/waiting",
            "app_folder": self.app_folder.removesuffix(".1"),
            "log": self.log,
            "log_max": 0,
            "access": [],
            "stop_signal": int(signal.SIGTERM),
            "start_timeout": 60.0,
            "polite_for": 15.0,
            "stop_timeout": PATIENCE,
            "drain_timeout": PATIENCE,
            "alone": True,
            "hold_max": PATIENCE,
            "listen_variables": True,
            "current": f"{self.house.path}/current",
            "table": "",
            "nginx_pid_file": None,
            "health": {"path": "/health", "host": "localhost", "timeout": 5.0},
        }
        if given.get("socket") == "unix":
            record["argv"].append(self.app_socket)
        return record | given | {"env": env | given.get("env", {})}

    def launch(self, main: str = str(MAIN)) -> Instance:
        """Start the keeper and attach to it."""
        files.write(self.path, json.dumps(self.record), mode=0o600)
        argv = [sys.executable, "-I", "-S", main, self.path]
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"HERE": self.house.path},
            )
        eventually(self._attach, what="an answer of the keeper")
        return self

    def start(self) -> Instance:
        """Launch, wait for the app's answer, and call it healthy."""
        self.launch()
        self.await_output("up")
        assert self.ask("healthy", sure=True)["ok"]
        return self

    def _attach(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, self.output()
        try:
            self.leased = Lease(self.control)
        except client.Gone:
            return False
        return True

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        return client.ask(self.control, op, timeout=PATIENCE, **args)

    def state(self) -> str:
        return str(self.ask("status")["state"])

    def pid(self) -> int:
        """The app's number; waits for it."""
        eventually(lambda: self.ask("status")["pid"], what="an app")
        return int(self.ask("status")["pid"])

    def process(self) -> Process:
        found = Process.find(self.pid())
        assert found is not None
        return found

    def keeper(self) -> Process:
        assert self.child is not None
        found = Process.find(self.child.pid)
        assert found is not None
        return found

    def freeze_between_starts(self) -> Process:
        """Freeze the keeper of an app that crashes again and again, in a moment when none runs; returns the keeper."""
        keeper = self.keeper()
        while True:
            eventually(lambda: (self.ask("status")["restart_in"] or 0) > 0.5, what="a longer pause between two starts")
            freeze(keeper)
            if not process.children(keeper.pid):
                return keeper
            keeper.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the app."""
        self.process().signal(signal.SIGKILL)

    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        assert self.leased is not None
        self.seen += self.leased.events()
        return self.seen

    def await_event(self, event: str, count: int = 1, **values: object) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [one for one in self.events() if one["event"] == event and values.items() <= one.items()]

        eventually(lambda: len(found()) >= count, what=f"{event} {values} among {self.seen}, {self.output()}")
        return found()[count - 1]

    def await_end(self) -> int:
        """Wait for the end of the keeper."""
        assert self.child is not None
        return self.child.wait(PATIENCE)

    def output(self) -> str:
        return files.read(self.log) or ""

    def lines(self) -> list[str]:
        return self.output().splitlines()

    def await_output(self, text: str, count: int = 1) -> None:
        eventually(
            lambda: sum(line.startswith(text) for line in self.lines()) >= count,
            what=f"{count} {text!r}: {self.output()}",
        )

    def tcp_port(self) -> int | None:
        """The port of a tcp app."""
        if self.record["socket"] == "tcp" and not self.port:
            self.port = int(self.ask("status")["port"])  # it keeps it
        return self.port or None

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_INET if self.tcp_port() else socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(("127.0.0.1", self.port) if self.port else self.socket)
        except OSError:
            connection.close()
            raise
        return connection

    def send(self, path: str = "/") -> socket.socket:
        """Send a request; its answer is read by `answer`."""
        connection = self.connect()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection

    def request(self, path: str = "/") -> str:
        return answer(self.send(path))

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.request("/look"))
        return found

    def end(self) -> None:
        if self.child:
            if (found := Process.find(self.child.pid)) is not None:
                freeze(found)  # it must not start an app while we look: one in the middle of exec has no environment
                below = [Process.find(pid) for pid in process.descendants(found.pid)]
                for each in [found, *below]:
                    if each:
                        each.signal(signal.SIGKILL)
            self.child.wait(PATIENCE)
        if self.leased:
            self.leased.close()


def answer(connection: socket.socket) -> str:
    """The body of the answer; "" when there was none."""
    received = b""
    with connection:
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return body.decode() if head else ""
