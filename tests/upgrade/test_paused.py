"""A pause that one program began is ended by the other one, and who waited is answered."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.system.project import Project
from tests.waiting import eventually

from .programs import NEW, OLD
from .story import Step, Story

CASES = [  # who deploys, who pauses, who ends it, and by what; which version then serves
    (OLD, OLD, NEW, "resume", 1),
    (OLD, OLD, NEW, "deploy", 2),
    (OLD, NEW, NEW, "resume", 1),
    (NEW, NEW, OLD, "resume", 1),
    (NEW, NEW, OLD, "deploy", 2),
    (NEW, OLD, OLD, "resume", 1),
]


@pytest.mark.parametrize(("deployer", "pauser", "ender", "command", "serves"), CASES)
def test_a_pause_of_one_is_ended_by_the_other(
    story: Callable[[str], Story], deployer: str, pauser: str, ender: str, command: str, serves: int
) -> None:
    told = story("own nginx")
    told.play([Step(deployer, "deploy", 1)])
    told.run(pauser, "pause web --max 50s")
    eventually(lambda: a_request_waits(told.site.project))

    said = told.run(ender, "status", code=0)
    assert "web-1 is paused" in said.out, said
    told.play([Step(ender, command, serves), Step(ender, "status", serves)])


def a_request_waits(project: Project) -> bool:
    """Tell whether a visitor gets no answer for a second: the first ones may, by connections that nginx has yet."""
    with socket.create_connection(("127.0.0.1", project.port), 60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        connection.settimeout(1)
        try:
            return not connection.recv(65536)
        except TimeoutError:
            return True
