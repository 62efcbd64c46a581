"""What the guides say of a scheduler inside the app, and of the client's address on a UNIX socket."""

from __future__ import annotations

import json
import re

import pytest

from tests.pages import DOCS, Page
from tests.waiting import eventually

from .project import PLAIN, Project, configure, service, version

ADDRESS = """\
import json

async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = json.dumps([scope["client"], headers.get("x-real-ip")]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
"""
SCHEDULER = """\
import os, pathlib, signal, sys, threading, time

going = True

def stop(*_):
    global going
    going = False

def run(version):
    while going:
        with open("ticks", "a") as file:
            file.write(f"{version} {time.monotonic()}\\n")
        time.sleep(0.02)

version = pathlib.Path("VERSION").read_text().strip()
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    run(version)
"""
IN_THE_APP = """\
import sys, threading, plain, scheduler
threading.Thread(target=scheduler.run, args=(scheduler.version,), daemon=True).start()
plain.main(sys.argv[1])
"""


@pytest.mark.parametrize(("more", "client"), [("", None), (" --forwarded-allow-ips *", ["203.0.113.7", 0])])
def test_the_address_of_a_client_is_in_a_header(project: Project, more: str, client: object) -> None:
    run = f"uvicorn --fd {{fd}} --log-level warning{more} address:app"
    configure(project, service("web", run=run))
    project.write("address.py", ADDRESS)
    project.zddeploy()

    answer = project.get("/", "localhost\r\nX-Forwarded-For: 203.0.113.7")

    assert json.loads(answer.splitlines()[-1]) == [client, "203.0.113.7"]  # said from this machine, as by a proxy


def ticks(project: Project) -> list[tuple[str, float]]:
    path = project.folder / "ticks"
    lines = path.read_text().splitlines()[:-1] if path.exists() else []
    return [(line.split()[0], float(line.split()[1])) for line in lines]


def overlap(seen: list[tuple[str, float]]) -> bool:
    """Whether the second version had begun before the first one's last tick."""
    first = [when for number, when in seen if number == "1"]
    return min(when for number, when in seen if number == "2") < max(first)


def test_a_scheduler_inside_the_app_runs_in_both_versions_while_the_old_one_is_warm(project: Project) -> None:
    configure(project, service("web", **PLAIN | {"run": "python -S web.py {fd}"}))
    project.write("scheduler.py", SCHEDULER)
    project.write("web.py", IN_THE_APP)
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    assert project.instances()["web-1"]["state"] == "warm"

    eventually(lambda: len({number for number, _ in ticks(project)[-20:]}) == 2)

    assert overlap(ticks(project))


def test_as_the_guide_has_it_a_scheduler_never_runs_twice(project: Project) -> None:
    """The service of the guide, with our Python."""
    (block,) = (block for block in Page(DOCS / "guides/fastapi.md").blocks if "[service.scheduler]" in block.text)
    text = re.sub(r"\.venv/bin/python ", "python -S ", block.text)
    configure(project, service("web", **PLAIN))
    project.write("deploy.toml", (project.folder / "deploy.toml").read_text() + text)
    project.write("scheduler.py", SCHEDULER)
    project.zddeploy()
    version(project, 2)
    project.zddeploy()

    eventually(lambda: ticks(project) and ticks(project)[-1][0] == "2")

    assert not overlap(ticks(project))
