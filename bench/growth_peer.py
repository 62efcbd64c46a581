"""How the cost of kamal-proxy grows with the services that it leads to; other peers have a configuration a service."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import kamal
from bench.account import pss
from bench.peer import APPS, until
from tests.machine import free_port
from tests.system.project import Project, request

Figures = list[dict[str, float]]


def services(counts: tuple[int, ...], tell: Callable[[str], None]) -> Figures:
    """
    Return what a deploy of one service takes while the proxy leads to so many, and what the proxy has of memory.

    A deploy starts an app and leads the proxy to it, once it answers. All but the service that is deployed share an
    app. Empty where nobody has named the program.
    """
    if kamal.missing():
        return []
    project = Project()
    proxy = kamal.KamalProxy(project.folder, project.port)
    try:
        with app() as others:
            steps = zip((0, *counts), counts, strict=False)
            return [with_so_many(proxy, others, range(*step), tell) for step in steps]
    finally:
        proxy.end()
        project.end()


def with_so_many(proxy: kamal.KamalProxy, others: int, added: range, tell: Callable[[str], None]) -> dict[str, float]:
    """Register these services, too; then deploy one of all three times."""
    tell(f"kamal-proxy, {added.stop} services")
    for number in added:
        proxy.deploy(f"web{number:04}", [others], "--host", f"web{number:04}.localhost")
    ones = [deploy(proxy, others) for _ in range(3)]
    begun = time.monotonic()
    proxy.command("list")
    found = {"services": float(added.stop), "deploy_one": statistics.median(ones), "list": time.monotonic() - begun}
    return found | {"memory": float(pss(proxy.process.pid))}


def deploy(proxy: kamal.KamalProxy, others: int) -> float:
    """Deploy the first service; returns the seconds until its old app could be ended."""
    begun = time.monotonic()
    with app() as port:
        proxy.deploy("web0000", [port], "--host", "web0000.localhost")
        took = time.monotonic() - begun
        proxy.deploy("web0000", [others], "--host", "web0000.localhost")
    return took


@contextmanager
def app() -> Iterator[int]:
    """The smallest app, on a port whose connections wait until it answers: nobody is asked twice."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        number = listener.fileno()
        as_third = "" if number == 3 else f" 3<&{number} {number}<&-"  # the descriptor that the app takes
        command = ["sh", "-c", f"exec perl tiny.pl{as_third}"]
        process = subprocess.Popen(command, cwd=APPS, pass_fds=(number,))
    try:
        until(lambda: "200 OK" in request(port))
        yield port
    finally:
        process.terminate()
        process.wait()
