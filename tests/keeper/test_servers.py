"""Real servers on the keeper's socket: they drain, they are restarted, nothing of them is left."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from tests.waiting import eventually
from zdd.host import files, process

from .conftest import New
from .instance import Instance, answer

ASGI = """
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    while scope["path"] == "/wait" and not os.path.exists("go"):
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
WSGI = """
import os, time
def app(environ, start_response):
    while environ["PATH_INFO"] == "/wait" and not os.path.exists("go"):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Length", "2"), ("Connection", "close")])
    return [b"ok"]
"""
SERVERS = {
    "uvicorn": "uvicorn --fd 3 asgi:app",
    "uvicorn --workers": "uvicorn --fd 3 --workers 2 asgi:app",
    "gunicorn": "gunicorn wsgi:app --threads 4 --graceful-timeout 5",
}


def serve(new: New, name: str) -> Instance:
    module, *options = SERVERS[name].split()
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    web = new(argv=[sys.executable, "-m", module, *options])
    for file, text in (("asgi.py", ASGI), ("wsgi.py", WSGI)):
        files.write(f"{web.house.path}/{file}", text)
    web.record["env"]["PYTHONPATH"] = os.pathsep.join(filter(None, [web.house.path, os.environ.get("PYTHONPATH")]))
    web.launch()
    assert answer(web.send("/")) == "ok"  # waits in the queue while it boots
    web.ask("healthy")
    return web


@pytest.mark.parametrize("name", SERVERS)
def test_a_request_in_flight_is_finished_and_nothing_is_left(new: New, name: str) -> None:
    web = serve(new, name)
    family = process.descendants(web.keeper().pid)
    running = web.send("/wait")
    eventually(lambda: web.ask("status")["connections"] == 1)

    web.ask("retire", warm=0, drain=30, workers=[])
    web.await_event("state", state="draining")
    web.house.write("go")

    assert answer(running) == "ok"
    assert web.await_end() == 0
    assert web.await_event("gone")["cut"] == 0
    assert [pid for pid in family if process.Process.find(pid)] == []


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_back_and_its_queue_is_answered(new: New, name: str) -> None:
    web = serve(new, name)
    family = process.descendants(web.keeper().pid)

    web.kill()
    web.await_event("exit", words="signal SIGKILL")
    waiting = [web.send("/") for _ in range(20)]

    assert {answer(connection) for connection in waiting} == {"ok"}
    web.await_event("state", count=2, state="serving")
    assert [pid for pid in family if process.Process.find(pid)] == []
    assert os.path.exists(web.socket)
