"""The host that the tests here deploy to, and what is done on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.again import LOST
from zdd.load import Kind, Report, Spec

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ADDRESS = "198.18.79.2"
LAB = Path(os.environ.get("ZDD_LAB", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "zdd-tests-lab"))
ZDD = "/opt/zdd/bin/zddeploy"

MIXED = (Kind(weight=3), Kind("POST", "/echo", body=2000, weight=2))
Result = subprocess.CompletedProcess[str]


class Host:
    """A booted host with what a server has before anybody cares for it; pip finds there what was brought along."""

    def __init__(self, packages: Path) -> None:
        hosts("up")
        try:
            shutil.copytree(packages, LAB / "host/root/opt/wheels")
            self.root("chmod", "755", "/opt/wheels")
            self.write("/etc/pip.conf", "[global]\nno-index = true\nfind-links = /opt/wheels\n")
        except BaseException:
            self.end()
            raise

    def furnish(self) -> None:
        """Install zddeploy and the app's server in /opt/zdd, and make the user `deploy`, who may log in."""
        self.root("python3", "-m", "venv", "/opt/zdd")
        self.root("/opt/zdd/bin/pip", "install", "-q", "zddeploy", "uvicorn")
        self.root("useradd", "--create-home", "--shell", "/bin/bash", "deploy")
        self.root("cp", "-r", "/root/.ssh", "/home/deploy/")
        self.root("chown", "-R", "deploy:", "/home/deploy/.ssh")

    def end(self) -> None:
        hosts("down")

    def root(self, *argv: str, code: int | None = 0, text: str | None = None) -> Result:
        """Run a command as the host's root, in no login session."""
        return hosts("exec", *argv, code=code, text=text)

    def ssh_argv(self, user: str, command: str) -> list[str]:
        options = [
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oLogLevel=ERROR",
            "-oBatchMode=yes",
        ]
        return [str(HERE / "hosts.sh"), "near", "ssh", *options, "-i", str(LAB / "id"), f"{user}@{ADDRESS}", command]

    def ssh(self, user: str, command: str, code: int | None = 0, timeout: float = 180.0) -> Result:
        """Run a command the way CI does: over ssh, without a terminal."""
        return run(self.ssh_argv(user, command), code, timeout=timeout)

    def write(self, path: str, text: str, owner: str = "root", mode: str = "644") -> None:
        folder = os.path.dirname(path)
        self.root("install", "-d", "-o", owner, folder)
        self.root("sh", "-c", f"cat > {path} && chown {owner}: {path} && chmod {mode} {path}", text=text)

    def load(self, port: int = 80) -> Visitors:
        """Start clients that ask the host from beside it until they are asked for their report."""
        return Visitors(f"{ADDRESS}:{port}")

    def reboot(self) -> None:
        """Reboot; returns when it has booted again."""
        hosts("reboot")


class Visitors:
    """Clients at work: 300 requests a second, GET and POST, over 32 keep-alive connections."""

    def __init__(self, target: str, **options: Any) -> None:
        spec = Spec(
            target, **{"kinds": MIXED, "rate": 300, "connections": 32, "record": "X-Release", "timeout": 60, **options}
        )
        argv = [str(HERE / "hosts.sh"), "near", sys.executable, "-m", "zdd.load", "-"]
        self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._child.stdin
        self._child.stdin.write(spec.to_json() + "\n")
        self._child.stdin.flush()

    def report(self, seconds: float = 1.0) -> Report:
        """Let them go on for so long, and return what they saw."""
        time.sleep(seconds)
        output, _ = self._child.communicate(timeout=180)  # closes its standard input, which ends it
        last = json.loads(output.splitlines()[-1])
        assert last["event"] == "report", last
        return Report.unpack(last["report"])

    def end(self) -> None:
        """Be gone, however far they came."""
        self._child.kill()
        self._child.communicate()


def hosts(*argv: str, code: int | None = 0, text: str | None = None) -> Result:
    return run([str(HERE / "hosts.sh"), *argv], code, text)


def run(argv: Sequence[str], code: int | None = 0, text: str | None = None, timeout: float = 300.0) -> Result:
    result = subprocess.run(argv, input=text or "", capture_output=True, text=True, timeout=timeout, check=False)
    words = f"{' '.join(argv)}: exit {result.returncode}\n{result.stdout}{result.stderr}"
    assert code is None or result.returncode == code, words
    return result


def wheels(folder: Path) -> Path:
    """Fill the folder with zdd, what it needs, and servers to deploy, for the host's Python: it has no way out."""
    hosts("tree")
    tree = LAB / f"tree-{os.environ.get('SUITE', 'bookworm')}"
    python = next((tree / "usr/bin").glob("python3.*[0-9]")).name.removeprefix("python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)])
    own = str(next(folder.glob("zddeploy-*.whl")))
    options = ["--only-binary=:all:", "--python-version", python, "-d", str(folder)]
    run([*pip, "download", *options, f"{own}[nginx,https]", "fastapi", "uvicorn", "websockets"])
    return folder


def assert_nothing_lost(report: Report) -> None:
    assert report.total_failed == 0, f"{LOST}: {dict(report.failed)} of {report.requests}: {report.failures[:5]}"
    assert report.ok > 0


def running(host: Host, pid: str) -> bool:
    return host.root("test", "-d", f"/proc/{pid}", code=None).returncode == 0
