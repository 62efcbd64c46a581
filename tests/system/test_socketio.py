"""Real Socket.IO clients before three instances of a real server, which keeps each client in one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import requests
import socketio

from tests.waiting import eventually

from .project import Project, configure, service, version
from .visitors import access

COUNT = 3
CHAT = {"run": "uvicorn --fd {fd} --log-level warning chat:app", "health_path": "/health", "instances": COUNT}
PATIENCE = 60


class Client:
    """
    One client, with a cookie of its own; `transports` are those that it may use.

    How often one that polls connects again is not for a test: while both versions answer it may meet first the one and
    then the other, and python-engineio's threads may break a connection by themselves, half a minute after one has
    ended (its log then says "packet queue is empty, aborting").
    """

    def __init__(self, project: Project, number: int, *transports: str) -> None:
        self.happened: Counter[str] = Counter()
        session = requests.Session()
        session.cookies.set("who", str(number))
        self._client = socketio.Client(
            reconnection_delay=0.3,  # seconds, as it says: by default half a second more or less, so none at all
            reconnection_delay_max=0.3,
            randomization_factor=0,
            request_timeout=PATIENCE,
            http_session=session,
        )
        for event in ("connect", "disconnect"):
            self._client.on(event, handler=lambda *_, event=event: self.happened.update([event]))
        url = f"http://127.0.0.1:{project.port}"
        self._client.connect(url, transports=transports or None, wait_timeout=PATIENCE)

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
        self._client.eio.queue.put(None)  # its thread that writes would wait for half a minute


@contextmanager
def clients(project: Project, count: int, *transports: str) -> Iterator[list[Client]]:
    made: list[Client] = []
    try:
        made.extend(Client(project, number, *transports) for number in range(count))  # those before one that fails, too
        yield made
    finally:
        for client in made:
            client.end()


def place(instance: str) -> tuple[int, int]:
    """Which version an instance is of, and its number within that version."""
    return divmod(int(instance.removeprefix("web-")) - 1, COUNT)


@pytest.mark.parametrize("sticky", ["ip", "cookie:who"])
def test_a_session_meets_its_own_instance_and_after_a_deploy_the_same_one_of_the_new_version(
    project: Project, sticky: str
) -> None:
    """A WebSocket stays where it is; who polls is refused by the new version, once it serves, and connects to it."""
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

    for home, other in set(re.findall(r"session of (\S+) at (\S+)", project.log("web-*.log"))):
        (before, number), (after, same) = place(home), place(other)
        assert (before != after, number) == (True, same), f"a session of {home} has met {other}"
    assert {line["status"] for line in access(project)} <= {200, 101, 400, 499}
    assert sticky != "ip" or len(set(homes)) == 1
