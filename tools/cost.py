"""
Print what a deploy of an instant app costs beside the app's own start: medians of some deploys behind real nginx.

`python -m tools.cost [DEPLOYS [SOURCE]]`. With SOURCE, the folder `src` of another checkout, both deploy in turns, so
that a busy machine is unfair to both. There, compare CPU time and counts; wall time only as a ratio.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.system.project import BIN, Project, service

OWN = Path(__file__).parent.parent / "src"
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from zdd.__main__ import main; main()"
# The same, and every audit event (PEP 578) that tells of work is written to a file, a line each.
WATCHED = f"""
import os, sys
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
def note(event, args):
    number = {{"import": 0, "open": 0, "os.listdir": 0, "os.rename": 1, "subprocess.Popen": 1}}.get(event)
    if number is not None and not (event == "import" and args[0] in sys.modules):
        what = args[number] if isinstance(args[number], (str, int)) else " ".join(map(str, args[number]))
        os.write(log, f"{{event}} {{what}}\\n".encode())
sys.addaudithook(note)
{RUN}"""
APP = """
import _socket, sys
if len(sys.argv) > 1:
    listener = _socket.socket(_socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
else:
    listener = _socket.socket(fileno=3)
version = open("VERSION").read()
answer = f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(version)}\\r\\nConnection: close\\r\\n\\r\\n{version}".encode()
while True:
    client = _socket.socket(fileno=listener._accept()[0])
    client.recv(65536)
    client.sendall(answer)
    client.close()
"""
COMMAND = "python -I -S app.py"


class Site:
    """A project with an instant app, deployed by one checkout of zdd."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.project = Project()
        self.version = 0
        self.project.write("app.py", APP)
        listen = f'[nginx]\nlisten = "127.0.0.1:{self.project.port}"\n'
        web = service("web", run=COMMAND, health_path="/")
        self.project.write("deploy.toml", self.project.section() + listen + web)

    def start(self, *before: str, run: str = RUN, args: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Begin to deploy another version."""
        self.version += 1
        self.project.write("VERSION", str(self.version))
        command = [*before, str(BIN / "python"), "-c", run, *args, str(self.source), "--json"]
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine, where modules are compiled once
        folder, out = self.project.folder, subprocess.DEVNULL
        return subprocess.Popen(command, cwd=folder, env=env, stdin=out, stdout=out, stderr=out)

    def deploy(self) -> dict[str, float]:
        """Deploy; return seconds of wall and CPU time."""
        begun = time.monotonic()
        command = self.start()
        while not self.serves_new() and time.monotonic() < begun + 60:
            time.sleep(0.002)
        answered = time.monotonic() - begun
        _, status, usage = os.wait4(command.pid, 0)
        command.returncode = status
        assert status == 0, f"exit status {status} in {self.project.folder}"
        took = {"new version answers": answered, "command returns": time.monotonic() - begun}
        took |= {"CPU of the command": usage.ru_utime + usage.ru_stime, "CPU of the keeper": self.keeper()}
        return took | {f"step {name}": seconds for name, seconds in self.steps()}

    def serves_new(self) -> bool:
        """Return whether a visitor gets the version that was written last."""
        try:
            return self.project.get().endswith(f"\n{self.version}")
        except OSError:
            return False

    def keeper(self) -> float:
        """Return the CPU time of the newest keeper in seconds (proc_pid_schedstat(5))."""
        pids = json.loads((self.project.runtime / f"control/web-{self.version}.pids").read_text())
        return int(Path(f"/proc/{pids['keeper'][0]}/schedstat").read_text().split()[0]) / 1e9

    def steps(self) -> list[tuple[str, float]]:
        """Return the steps of the last deploy, and how long each took."""
        text = (self.project.state / f"logs/deploy-{self.version}.jsonl").read_text()
        return [(one["step"], one["seconds"]) for one in map(json.loads, text.splitlines()) if one["event"] == "step"]

    def watched(self) -> list[str]:
        """Deploy; return what the command imports, opens, lists and runs, in this order."""
        log = self.project.folder / "events"
        assert self.start(run=WATCHED, args=(str(log),)).wait() == 0
        return log.read_text().splitlines()

    def counts(self) -> dict[str, float]:
        """Deploy twice more; return how often the command does what costs."""
        calls, counted = self.project.folder / "calls", count(self.watched())
        if shutil.which("strace"):
            self.start("strace", "-c", "-o", str(calls)).wait()
            total = next(line for line in calls.read_text().splitlines() if line.endswith(" total"))
            counted["system calls"] = int(total.split()[3])
        return counted

    def alone(self) -> float:
        """Start the app without zdd; return the seconds until it answers."""
        path = self.project.folder / "alone"
        path.unlink(missing_ok=True)
        begun = time.monotonic()
        with subprocess.Popen([BIN / "python", *COMMAND.split()[1:], path], cwd=self.project.folder) as app:
            while not answers(str(path)):
                time.sleep(0.002)
            took = time.monotonic() - begun
            app.kill()
        return took


def answers(path: str) -> bool:
    """Return whether somebody listens on this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def count(events: list[str]) -> dict[str, float]:
    """Return how many modules are imported before and after the keeper is started, and what else is counted."""
    keeper = next((number for number, event in enumerate(events) if "/keeper/__main__.py" in event), len(events))
    kinds = [Counter(event.split()[0] for event in part) for part in (events[:keeper], events[keeper:])]
    return {
        "modules before the keeper": kinds[0]["import"],
        "modules after it": kinds[1]["import"],
        "files opened": kinds[0]["open"] + kinds[1]["open"],
        "looks at all processes": events.count("os.listdir /proc"),
        "programs run": kinds[0]["subprocess.Popen"] + kinds[1]["subprocess.Popen"],
    }


def main(deploys: int, sources: list[Path]) -> None:
    """Deploy by turns, then print one column for each source."""
    sites = [Site(source) for source in sources]
    try:
        for site in sites:
            site.deploy()
        rounds = [[site.deploy() | {"app alone": site.alone()} for site in sites] for _ in range(deploys)]
        counted = [site.counts() for site in sites]
    finally:
        for site in sites:
            site.project.end()
    for name in rounds[0][0]:
        medians = [statistics.median(one[name] for one in column) for column in zip(*rounds, strict=True)]
        print(f"{name:28}" + "".join(f"{1000 * median:9.1f} ms" for median in medians))
    for name in counted[0]:
        print(f"{name:28}" + "".join(f"{column[name]:9.0f}   " for column in counted))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, [OWN, *map(Path, sys.argv[2:])])
