"""Visitors who know which instance has answered each of their requests: the app says so, and each request has an id."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from tests.waiting import eventually
from zdd.nginx.access_log import UNKNOWN

from .project import Project

_PAUSE = 0.004  # seconds between two requests of a visitor
_PATIENCE = 60


Answered = tuple[str | None, str]


def about(body: bytes) -> Answered:
    """The instance and the release that plain.py says it is."""
    env = json.loads(body)["env"]
    return env["ZDD_INSTANCE"], env.get("ZDD_RELEASE", "")


class Visitors:
    """
    A few visitors on connections of their own; `answered` has the instance and the release for each id.

    `says` reads them in an answer's body, `connect` makes a connection.
    """

    def __init__(
        self,
        project: Project,
        number: int = 3,
        path: str = "/about",
        says: Callable[[bytes], Answered] = about,
        connect: Callable[[], http.client.HTTPConnection] | None = None,
    ) -> None:
        self.path, self.says = path, says
        self.connect = connect or (lambda: http.client.HTTPConnection("127.0.0.1", project.port, timeout=_PATIENCE))
        self.answered: dict[str, Answered] = {}
        self.failed: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(one,), daemon=True) for one in range(number)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _visit(self, name: int) -> None:
        connection = self.connect()
        for number in itertools.count():
            if self._over.is_set():
                break
            call = f"visit{self.path}-{name}-{number}"
            try:
                connection.request("GET", self.path, headers={"X-Request-ID": call, "Cookie": "secret=1"})
                self.answered[call] = self.says(connection.getresponse().read())
            except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
                self.failed.append(f"{call}: {error!r}")
                connection.close()
            time.sleep(_PAUSE)
        connection.close()


@contextmanager
def visiting(project: Project, visitors: Visitors | None = None) -> Iterator[Visitors]:
    visitors = visitors or Visitors(project)
    visitors.begin()
    try:
        yield visitors
    finally:
        visitors.stop()


def access(project: Project, *args: str) -> list[dict[str, Any]]:
    """What `logs --access` says."""
    output = project.zddeploy("logs", "--access", "--json", "-n", "1000000", *args).stdout
    return [json.loads(line) for line in output.splitlines()]


def logged(project: Project, asked: Collection[str], key: str = "id") -> list[dict[str, Any]]:
    """What `logs --access` says, once it has a line for each of these: nginx writes it after the answer was sent."""
    lines: list[dict[str, Any]] = []

    def all_there() -> bool:
        lines[:] = access(project)
        return {line[key] for line in lines} >= set(asked)

    eventually(all_there, what="a line for each request")
    return lines


def await_answer_of(project: Project, instance: str, host: str = "localhost") -> None:
    """Wait until a request's line names this instance: right after a switch a pooled connection may lead elsewhere."""
    eventually(lambda: project.get(host=host) and [line["instance"] for line in access(project)[-1:]] == [instance])


def wrong(visitors: Visitors, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that name another instance or release than the one that has answered."""
    known = visitors.answered
    return [
        line
        for line in lines
        if line["id"] in known
        and (line["instance"], line["release"] or "") not in (known[line["id"]], (UNKNOWN, UNKNOWN))
    ]


def share_known(visitors: Visitors, lines: list[dict[str, Any]]) -> float:
    """The part of the visitors' requests whose line names an instance."""
    named = [line for line in lines if line["id"] in visitors.answered and line["instance"] != UNKNOWN]
    return len(named) / len(visitors.answered)
