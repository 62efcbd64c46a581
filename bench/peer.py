"""What all peers have in common: the folder with the app, the port that clients use, and how a new version comes."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from tests.system.project import BIN, Project
from zdd.host import process

APPS = Path(__file__).parent / "apps"
PATH = f"{BIN}:{BIN.parent}/npm/node_modules/.bin:{os.environ['PATH']}:/usr/sbin"
APP = ("shop:app", "shop.js")  # one of them is in the command line of every process of the app


class Peer:
    """
    One way to bring a new version of the app into service, driven as its own documentation says.

    `deploy` returns when its command or script would. Scripts by hand run in this process, so that they pay for no
    interpreter of their own, as zddeploy does.
    """

    title: ClassVar[str]
    docs: ClassVar[str]  # where the way it is driven is documented
    program: ClassVar[str] = ""  # what it needs, if this machine may lack it
    language: ClassVar[str] = "Python"
    of_the_machine: ClassVar[tuple[str, ...]] = ()  # programs that run on a machine anyway: not the peer's memory

    def __init__(self) -> None:
        self.project = Project()
        self.folder, self.port = self.project.folder, self.project.port
        self.marks: dict[str, float] = {}
        shutil.copytree(APPS, self.folder, dirs_exist_ok=True)
        os.environ["PATH"] = PATH
        self.version = 0
        self.next_version()

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot run here, nothing if it can."""
        found = not cls.program or shutil.which(cls.program, path=PATH)
        return "" if found else f"{cls.program} is not installed"

    def start(self) -> None:
        """Bring the first version into service."""
        raise NotImplementedError

    def deploy(self) -> None:
        """Bring the new one into service, in the place of the one that serves."""
        raise NotImplementedError

    def end(self) -> None:
        """Leave nothing behind: all that it started is below this process, or zdd's, which the project takes down."""
        if not (self.folder / "deploy.toml").exists():
            for pid in process.descendants(os.getpid()):
                os.kill(pid, signal.SIGKILL)
        self.project.end()

    def next_version(self) -> None:
        """Make another version of the app's code."""
        self.version += 1
        (self.folder / "VERSION").write_text(str(self.version))

    def mark(self, what: str) -> None:
        """Remember when in a deploy this happened."""
        self.marks[what] = time.monotonic()

    def serves_new(self) -> bool:
        """Whether a new client is answered by the new version."""
        return answer(self.port) == str(self.version)


def answer(port: int) -> str:
    """Return the version that answers there, nothing when none does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.getheader("X-Release", "") if response.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def until(check: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it holds. Raises TimeoutError if it never does; a server that does not answer yet is "not yet"."""
    deadline = time.monotonic() + seconds
    while not _now(check):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {check}")
        time.sleep(0.01)


def _now(check: Callable[[], object]) -> object:
    try:
        return check()
    except (ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
        return False
