"""
How cost grows: with services, with the memory of their keepers, with deploys made, connections open, code to copy.

Everything here is a real deploy of real processes; the app is tiny.pl, the smallest that a thousand can run of at once.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.account import pss
from bench.peer import APPS
from tests.system.project import UVICORN, Project, configure, service
from zdd.host import process

Figures = list[dict[str, float]]
TINY: dict[str, Any] = {"run": "perl tiny.pl", "health_path": "/", "keep_warm": "0s"}
MEGABYTE = 1_000_000


def services(counts: tuple[int, ...], tell: Callable[[str], None]) -> Figures:
    """What commands take with so many services, and what their keepers have of memory."""
    found = []
    for count in counts:
        tell(f"{count} services")
        names = [f"web{number:04}" for number in range(count)]
        with project(*(service(name, **TINY, host=f"{name}.localhost") for name in names)) as shop:
            one = {"services": float(count), "first_deploy": timed(shop)}
            one["keeper_memory"] = statistics.mean(pss(pid) for pid in keepers(shop))
            one["status"] = statistics.median(timed(shop, "status") for _ in range(3))
            ones = [run(shop, "deploy", names[0]) for _ in range(3)]
            one["deploy_one"] = statistics.median(seconds for _, seconds in ones)
            one["switch"] = statistics.median(step(events, "publish") for events, _ in ones)
            events, one["deploy_all"] = run(shop)
            one["switch_all"] = step(events, "publish")
            one["nginx_text"] = float((shop.state / "nginx/nginx.conf").stat().st_size)
            found.append(one)
    return found


def history(deploys: int, tell: Callable[[str], None]) -> Figures:
    """What commands take after so many deploys: the median of the last five deploys, every now and then."""
    found, seconds = [], []
    with project(service("web", **TINY)) as shop:
        for number in range(1, deploys + 1):
            seconds.append(timed(shop, "--detach"))
            if number in (10, 100, deploys):
                tell(f"{number} deploys")
                one = {"deploys": float(number), "deploy": statistics.median(seconds[-5:])}
                one["status"] = statistics.median(timed(shop, "status") for _ in range(5))
                one["history"] = statistics.median(timed(shop, "history") for _ in range(5))
                one["state"] = float(sum(path.stat().st_size for path in shop.state.rglob("*") if path.is_file()))
                found.append(one)
    return found


def connections(counts: tuple[int, ...], tell: Callable[[str], None]) -> Figures:
    """What a deploy costs while so many clients stay connected to the old instance, and its end when they leave."""
    found = []
    for count in counts:
        tell(f"{count} open connections")
        with project(service("web", **UVICORN, health_path="/", keep_warm="0s", drain_timeout="5m")) as shop:
            run(shop)
            keeper = keepers(shop)[0]
            clients = [connect(f"{shop.runtime}/current/web/00") for _ in range(count)]
            one = {"connections": float(count), "deploy": timed(shop, "--detach")}
            cpu, begun = cpu_of(keeper), time.monotonic()
            time.sleep(3)
            one["draining_cpu"] = (cpu_of(keeper) - cpu) / (time.monotonic() - begun)
            for client in clients:
                client.close()
            begun, old = time.monotonic(), process.Process.find(keeper)
            if old:
                old.wait(60)
            one["end"] = time.monotonic() - begun
            found.append(one)
    return found


def releases(megabytes: tuple[int, ...], tell: Callable[[str], None]) -> Figures:
    """What a release of so many megabytes, in files of one megabyte of noise, takes to build and to prune."""
    found = []
    for size in megabytes:
        tell(f"a release of {size} MB")
        release = '[release]\nsource = "code"\nkeep_releases = 2\n'
        with project(service("web", **TINY), release) as shop:
            (shop.folder / "code").mkdir()
            shutil.copy(APPS / "tiny.pl", shop.folder / "code")
            for number in range(size):
                (shop.folder / f"code/{number}").write_bytes(os.urandom(MEGABYTE))
            builds, total = [], []
            for number in range(3):  # the third is the first that lets one go
                (shop.folder / "code/VERSION").write_text(str(number))
                events, seconds = run(shop)
                builds.append(step(events, "build"))
                total.append(seconds)
            medians = {"build": statistics.median(builds), "deploy": statistics.median(total)}
            found.append({"megabytes": float(size), **medians})
    return found


@contextmanager
def project(*sections: str) -> Iterator[Project]:
    """A project with these sections, taken down in the end."""
    shop = Project()
    try:
        configure(shop, *sections)
        shutil.copy(APPS / "tiny.pl", shop.folder)
        yield shop
    finally:
        shop.end()


def run(shop: Project, *arguments: str) -> tuple[list[dict[str, Any]], float]:
    """Deploy; returns the events, and the seconds it took."""
    begun = time.monotonic()
    said = shop.zddeploy("--json", *arguments, timeout=1800).stdout
    return [json.loads(line) for line in said.splitlines()], time.monotonic() - begun


def timed(shop: Project, *arguments: str) -> float:
    """Return the seconds that the command takes."""
    begun = time.monotonic()
    shop.zddeploy(*arguments, timeout=1800)
    return time.monotonic() - begun


def step(events: list[dict[str, Any]], name: str) -> float:
    """Return the seconds of a step that is done."""
    done = (event for event in events if event["event"] == "step")
    return next(float(event["seconds"]) for event in done if event["step"] == name)


def keepers(shop: Project) -> list[int]:
    """Return the processes that hold the project's sockets."""
    return [pid for pid in process.parents() if f"{shop.runtime}/control/" in process.title(pid)]


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(path: str) -> socket.socket:
    """Return a connection that says nothing."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client
