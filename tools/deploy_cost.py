"""
What a deploy costs beyond the app's own start: `python -m tools.deploy_cost [DEPLOYS] [RATE]`, from the repository.

The app is started by hand on a socket with a request waiting, which is the least a deploy could take; then it is
deployed under load. Three times count from the start of zddeploy: when `current` changed (switched), when zddeploy
ended (returned), and when the last client got an answer from the old version.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.system.project import BIN, PLAIN, UVICORN, Project, configure, service, version

from zdd.load import Kind

SERVERS = {"uvicorn": UVICORN, "standard library": PLAIN}


def main(deploys: int = 10, rate: float = 300) -> None:
    """Print a line for each server."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
    for name, run in SERVERS.items():
        project = Project()
        try:
            configure(project, service("web", **run, health_path="/", keep_warm="0s"))
            alone = statistics.median(start_by_hand(project, run["run"]) for _ in range(deploys))
            measure(project, name, alone, deploys, rate)
        finally:
            project.end()


def measure(project: Project, name: str, alone: float, deploys: int, rate: float) -> None:
    """Deploy so often under load, and tell the medians in milliseconds."""
    project.zddeploy()
    begun, switched, returned = [], [], []
    with project.load((Kind(), Kind("POST", "/echo", body=2000)), rate=rate) as load:
        for number in range(2, deploys + 2):
            version(project, number)
            begun.append((time.time(), time.monotonic()))
            project.zddeploy("--detach")
            returned.append(time.monotonic() - begun[-1][1])
            switched.append(os.lstat(project.runtime / "current").st_mtime - begun[-1][0])
            time.sleep(1.5)
        report = load.stop()
    answered = [(start[1], report.answered.get(str(number))) for number, start in enumerate(begun, 1)]
    last = [seen.last - start for start, seen in answered if seen]
    print(f"{name}: {deploys} deploys, {report.requests} requests, {report.total_failed} failed")
    print(f"  the app alone answers after {alone * 1000:.0f} ms")
    print(f"  switched after              {median(*switched)}, without the app's own time {excess(switched, alone)}")
    print(f"  returned after              {median(*returned)}, without the app's own time {excess(returned, alone)}")
    print(f"  last answer of the old one  {median(*last)}")


def start_by_hand(project: Project, run: str) -> float:
    """Return the seconds from the start of the app to its answer to a request that waits already."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        path = str(project.folder / "by-hand")
        listener.bind(path)
        listener.listen()
        client.connect(path)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        begun = time.monotonic()
        app = subprocess.Popen(
            run.replace("{fd}", str(listener.fileno())).split(),
            cwd=project.folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
            pass_fds=[listener.fileno()],
        )
        client.recv(1)
        seconds = time.monotonic() - begun
        app.kill()
        app.wait()
        os.unlink(path)
        return seconds


def median(*seconds: float) -> str:
    """Return the median, and the worst, for people."""
    return f"{statistics.median(seconds) * 1000:.0f} ms (at most {max(seconds) * 1000:.0f})"


def excess(seconds: Sequence[float], alone: float) -> str:
    """Return what is left of them without the app's own time."""
    return median(*(one - alone for one in seconds))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
