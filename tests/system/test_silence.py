"""What becomes of a connection on which the app is silent for longer than `proxy_read_timeout`, as the guide says."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from .project import UVICORN, Project, configure, service

SILENCE = 1.0  # seconds
PATIENCE = 60.0


def stream(project: Project) -> None:
    """An answer of which half has come: it is cut, so that the client knows."""
    with closing(http.client.HTTPConnection("127.0.0.1", project.port, PATIENCE)) as connection:
        connection.request("GET", "/half/never")
        answer = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def websocket(project: Project) -> None:
    """It is closed without a close frame; until then what is said is answered."""
    with connect(f"ws://127.0.0.1:{project.port}/ws", ping_interval=None) as connection:
        connection.send("hello")
        assert connection.recv(PATIENCE) == "hello"
        with pytest.raises(ConnectionClosedError):
            connection.recv(PATIENCE)


def long_poll(project: Project) -> None:
    """No byte has come: there is still an answer."""
    assert project.get("/silent/never").startswith("HTTP/1.1 504")


@pytest.mark.parametrize("kind", [stream, websocket, long_poll])
def test_silence_is_ended_after_proxy_read_timeout(project: Project, kind: Callable[[Project], None]) -> None:
    nginx = f'proxy_read_timeout = "{SILENCE:g}s"\n'
    configure(project, service("web", **UVICORN, health_path="/", hold_max="500ms"), nginx=nginx)
    project.zddeploy()
    begun = time.monotonic()

    kind(project)

    assert time.monotonic() - begun >= SILENCE
    assert "x-release: 1" in project.get()
