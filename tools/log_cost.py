"""
Print what zdd's access log costs nginx: CPU time a request, beside no log and nginx's own format `combined`.

The log is there as it is, and without the condition that leaves out what zdd itself asks; all texts have the mark.

`python -m tools.log_cost [ROUNDS]`. They take turns, so that a busy machine is unfair to all of them. A second
nginx answers in place of an app; only the CPU time of the first one's workers counts.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from bench.wrk import wrk
from tests.machine import free_port
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.config import render
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.process.binary import Binary, find
from zdd.nginx.process.nginx import NginxProcess

ROUNDS, SECONDS, CONNECTIONS = 5, 3, 16
APP = """\
pid {folder}/app.pid; error_log {folder}/app.log; worker_processes 1;
events {{}}
http {{
    access_log off; keepalive_requests 1000000; {temporary}
    server {{ listen unix:{folder}/app.sock; return 200 ok; }}
}}
"""
TEMPORARY = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
MARK = Mark("0123456789ab", "5" * 32, "7" * 32)
_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(binary: Binary, folder: str, name: str, text: str) -> Iterator[NginxProcess]:
    """Run an nginx with this text."""
    made = NginxProcess(binary, f"{folder}/{name}.conf", f"{folder}/{name}.pid", folder, Commands(), Clock())
    made.apply(text)
    try:
        yield made
    finally:
        made.stop(2.0)


def texts(binary: Binary, folder: str, port: int) -> dict[str, str]:
    """Return the text with each log."""
    setup = Setup(
        pid_file=f"{folder}/proxy.pid",
        error_log=f"{folder}/proxy.log",
        temp_folder=f"{folder}/temp",
        listen=[f"127.0.0.1:{port}"],
        routes=[Route("web")],
        upstreams={"web": [f"unix:{folder}/app.sock"]},
        mark=MARK,
    )
    none = render.render(setup, binary.version)
    ours = render.render(replace(setup, access_log=f"{folder}/access.log"), binary.version)
    return {
        "none": none,
        "combined": none.replace("access_log off;", f"access_log {folder}/access.log;", 1),
        "zdd, all": re.sub(r" if=\$\w+;", ";", ours),
        "zdd": ours,
    }


def cost(nginx: NginxProcess, port: int) -> float:
    """Return the microseconds of CPU that a request costs nginx's workers."""
    before = sum(map(_cpu, nginx.workers()))
    result = wrk(f"http://127.0.0.1:{port}/path?query=1", SECONDS, CONNECTIONS)
    return (sum(map(_cpu, nginx.workers())) - before) / (result["rate"] * SECONDS) * 1e6


def _cpu(worker: Process) -> float:
    with open(f"/proc/{worker.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICK


def main() -> None:
    """Measure, and print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    binary, port = find(None, None, Commands()), free_port()
    with tempfile.TemporaryDirectory(prefix="zdd", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        known = texts(binary, folder, port)
        found: dict[str, list[float]] = {name: [] for name in known}
        with serving(binary, folder, "app", APP.format(folder=folder, temporary=TEMPORARY)):
            os.chmod(f"{folder}/app.sock", 0o666)
            for _ in range(rounds):
                for name, text in known.items():
                    with serving(binary, folder, "proxy", text) as nginx:
                        found[name].append(cost(nginx, port))
                    Path(folder, "access.log").unlink(missing_ok=True)
    for name, costs in found.items():
        print(f"{name:10} {statistics.median(costs):6.1f} us a request, {min(costs):.1f} to {max(costs):.1f}")


if __name__ == "__main__":
    main()
