"""The control protocol of keepers: what a keeper is asked, and what answers a command line."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.keeper.fakes import Terminal
from zdd.errors import ZddError
from zdd.instances import state
from zdd.keeper import VERSION, client, message, parking
from zdd.keeper.control import Control
from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.operations import Operations
from zdd.layout import Layout

from .profile import holds
from .texts import json_like, json_texts

REQUESTS: list[Any] = [
    {"version": 1, "op": "status"},
    {"version": 1, "op": "attach"},
    {"version": 1, "op": "healthy", "sure": True},
    {"version": 1, "op": "retire", "warm": 1.5, "drain": 30, "workers": [[1234, 5678]]},
    {"version": 1, "op": "rest", "drain": 3, "way_back": True},
    {"version": 1, "op": "pause", "seconds": 5},
    {"version": 1, "op": "resume"},
    {"version": 1, "op": "start", "alone": True},
    {"version": 1, "op": "unretire"},
    {"version": 1, "op": "access", "users": [33]},
    {"version": 1, "op": "stop"},
]
STATUS = {
    "ok": True,
    "version": VERSION,
    "instance": "web-1",
    "service": "web",
    "release": None,
    "state": "serving",
    "pid": 1,
    "since": 1.7e9,
    "restarts": 0,
    "restart_in": None,
    "waiting": 3,
    "stalled": 12.5,
    "address": "/run/x",
    "port": None,
    "paused": None,
    "exit": None,
    "drained": 0,
    "cut": 0,
    "connections": 1,
    "long_lived": 0,
    "stranger": None,
    "program_of_root": None,
}
ANSWERS: list[Any] = [
    STATUS,
    {"ok": True, "state": "failed", "events": [{"event": "exit", "words": "SIGKILL", "status": -9}]},
    {"ok": False, "error": "no"},
    {"ok": False, "version": 1, "oldest": 1, "error": "version 2 is not spoken here"},
    {"ok": False, "unknown": "x", "error": "there is no operation"},
]
EVENTS: list[Any] = [
    {"event": "state", "state": "serving"},
    {"event": "gone", "drained": 1, "cut": 0, "seconds": 0.1},
    {"event": "exit", "words": "x", "status": 1, "stage": "exec", "errno": 2},
]


@holds(st.lists(json_like(REQUESTS), min_size=1, max_size=6), examples=200)
def test_a_keeper_answers_every_request_and_its_clock_goes_on(requests: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keeper = Terminal(folder)
        handle = Operations(keeper.keeper).handle
        for request in requests:
            if isinstance(request, dict):
                answer = handle(request)
                assert isinstance(answer["ok"], bool)
                assert answer["ok"] or answer["error"]
                assert len(json.dumps(answer)) < 65536
            wait = keeper.deadlines.next()
            assert wait is None or math.isfinite(wait)
            keeper.push(1.0)


@holds(json_texts(REQUESTS), st.lists(st.integers(1, 200), max_size=5), examples=200)
def test_a_control_socket_answers_or_hangs_up(data: bytes, sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Deadlines(lambda: 0.0))
        control = Control(loop, f"{folder}/s")
        asked: list[dict[str, Any]] = []

        def handle(request: dict[str, Any]) -> dict[str, Any]:
            asked.append(request)
            return {"ok": True}

        control.open(handle, lambda: None)
        loop.deadlines.at(0, lambda: None)  # no turn waits
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"{folder}/s")
            rest = data
            for size in [*sizes, len(data) + 1]:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    peer.sendall(rest[:size][:100_000])
                rest = rest[size:]
                loop.deadlines.at(0, lambda: None)
                loop.turn()
        for _ in range(10):
            loop.deadlines.at(0, lambda: None)
            loop.turn()
        control.close()

    assert all(isinstance(request, dict) for request in asked)


@contextlib.contextmanager
def answering(path: str, data: bytes) -> Iterator[None]:
    """Answer each connection to this socket with the data, and hang up."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(8)

        def answer() -> None:
            while True:
                with contextlib.suppress(OSError):
                    with server.accept()[0] as peer:
                        if not peer.recv(65536).strip():
                            return
                        peer.sendall(data)
                    continue
                return

        speaker = threading.Thread(target=answer)
        speaker.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(path)
            speaker.join()


answers = st.one_of(json_texts(ANSWERS), st.lists(json_texts([*ANSWERS, *EVENTS]), max_size=3).map(b"\n".join)).map(
    lambda data: data + b"\n"
)


@holds(answers, examples=150)
def test_a_command_line_makes_something_of_every_answer(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(folder, folder)
        os.mkdir(layout.control)
        with answering(layout.control_socket("web-1"), data):
            seen = None
            with contextlib.suppress(ZddError):
                seen = state.observe(layout, 60.0, ["web-1"])["web-1"]  # type: ignore[arg-type]
            with contextlib.suppress(ZddError, client.Gone):
                lease = client.Lease(layout.control_socket("web-1"))
                while not lease.ended:
                    for event in lease.events():
                        assert isinstance(event["event"], str)
                lease.close()
            parking._ask(layout.control_socket("web-1"), "status")

    if seen:
        assert isinstance(seen.state, str)
        assert seen.since is None or 0 <= seen.since < 1e12
        assert seen.port is None or 0 <= seen.port < 2**32
        assert seen.restarts >= 0


def test_what_is_right_is_not_called_wrong() -> None:
    for known in (*REQUESTS, *ANSWERS, *EVENTS):
        assert message.wrong(known) is None
