"""zdd as its README has it: the app on the socket it inherits, a deploy is one rename."""

from __future__ import annotations

import json
import subprocess
from typing import Any, ClassVar

from bench.hand import run
from bench.peer import Peer
from tests.system.project import service


class Driver(Peer):
    """zdd with `socket = "fd"`."""

    title = "zdd"
    docs = "README.md, Your own service"
    keys: ClassVar[dict[str, Any]] = {
        "run": "gunicorn shop:app",
        "health_path": "/",
        "keep_warm": "0s",  # the peers keep nothing warm either
    }

    def start(self) -> None:
        """Write deploy.toml, deploy."""
        listen = f'[nginx]\nlisten = "127.0.0.1:{self.port}"\n'
        self.first_deploy(self.project.section() + listen + service("web", **self.keys))

    def first_deploy(self, text: str) -> None:
        """Deploy what this deploy.toml says."""
        self.project.write("deploy.toml", text)
        run(self.folder, "zddeploy")

    def deploy(self) -> None:
        """One command; its events tell when the new instance is healthy, and when the rename was done."""
        with subprocess.Popen(["zddeploy", "--json"], cwd=self.folder, stdout=subprocess.PIPE, text=True) as command:
            assert command.stdout
            for line in command.stdout:
                event = json.loads(line)
                if event["event"] == "healthy":
                    self.mark("ready")
                elif event["event"] == "step" and event["step"] == "publish":
                    self.mark("switched")
        if command.returncode:
            raise RuntimeError(f"zddeploy ended with {command.returncode}: {event}")
