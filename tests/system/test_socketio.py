"""Real Socket.IO clients before three instances of a real server, which keeps each client in one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import requests
import socketio

from tests.waiting import eventually

from .project import Project, configure, service, version

CHAT = {"run": "uvicorn --fd {fd} --log-level warning chat:app", "health_path": "/health", "instances": 3}
PATIENCE = 60


class Client:
    """One client, with a cookie of its own; `transports` are those that it may use."""

    def __init__(self, project: Project, number: int, *transports: str) -> None:
        self.happened: Counter[str] = Counter()
        session = requests.Session()
        session.cookies.set("who", str(number))
        self._client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5, http_session=session)
        for event in ("connect", "connect_error", "disconnect"):
            self._client.on(event, handler=lambda *_, event=event: self.happened.update([event]))
        self._client.connect(f"http://127.0.0.1:{project.port}", transports=transports or None)

    @property
    def transport(self) -> str:
        return str(self._client.transport())

    def say(self, text: str, timeout: float = PATIENCE) -> str:
        """Have the server answer; returns the instance."""
        instance, echo = self._client.call("say", text, timeout=timeout)
        assert echo == text
        return str(instance)

    def is_at(self, instances: set[str]) -> bool:
        """Whether it is connected to one of these. What it says to a version that is gone is what tells it so."""
        try:
            return self.say("where?", timeout=2) in instances
        except socketio.exceptions.SocketIOError:
            return False

    def end(self) -> None:
        self._client.eio.disconnect(abort=True)  # without waiting for the end of its last poll


@contextmanager
def clients(project: Project, count: int, *transports: str) -> Iterator[list[Client]]:
    made = [Client(project, number, *transports) for number in range(count)]
    try:
        yield made
    finally:
        for client in made:
            client.end()


@pytest.mark.parametrize("sticky", ["ip", "cookie:who"])
def test_websockets_stay_and_long_polls_connect_once_to_each_new_version(project: Project, sticky: str) -> None:
    configure(project, service("web", **CHAT, sticky=sticky))
    project.zddeploy()

    with clients(project, 6) as upgraded, clients(project, 4, "polling") as polling:
        eventually(lambda: {client.transport for client in upgraded} == {"websocket"})
        homes = [client.say("hello") for client in upgraded]
        for number in (2, 3, 4):
            version(project, number)
            project.zddeploy()
            fresh = set(project.serving())
            for client in polling:
                eventually(partial(client.is_at, fresh))
            assert [client.say(str(number)) for client in upgraded] == homes, "as before"

        assert [client.happened for client in upgraded] == [Counter(connect=1)] * 6
        assert {client.happened["connect_error"] for client in polling} == {0}
        assert [client.happened["connect"] for client in polling] == [4] * 4, "once for each version"
    assert sticky != "ip" or len(set(homes)) == 1
