"""Real Gradio clients before several instances: with `sticky` each has one of them, and a deploy cuts no stream."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

from ..pages import DOCS, Page
from .project import APPS, Project, configure, service
from .recipe import is_met

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.skipif(not is_met("pip install gradio", APPS), reason="needs pip install gradio"),
]
COUNT = 4
OPTIONS = "uvicorn --fd {fd} --timeout-graceful-shutdown 5"  # as the guide has them


def web(**more: object) -> str:
    run = f"{OPTIONS} --log-level warning talk:app"
    env = {"GRADIO_ANALYTICS_ENABLED": "False"}
    return service("web", run=run, health_path="/", keep_warm="0s", env=env, start_timeout="5m", **more)


def test_the_guide_has_what_is_tried_here() -> None:
    assert [block.where for block in Page(DOCS / "guides/sticky.md").blocks if OPTIONS in block.text] == ["deploy.toml"]


@pytest.mark.parametrize("sticky", ["ip", "cookie:who"])
def test_a_client_has_one_instance_and_a_stream_ends_on_the_version_that_it_began_with(
    project: Project, sticky: str
) -> None:
    configure(project, web(instances=2, sticky=sticky, drain_timeout="5m"))
    project.zddeploy()
    before, end = set(project.serving()), project.folder / "end"
    command: list[str | Path] = [
        sys.executable,
        APPS / "talkers.py",
        f"http://127.0.0.1:{project.port}/",
        str(COUNT),
        end,
    ]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as talkers:
        try:
            assert talkers.stdout
            assert talkers.stdout.readline() == "streaming\n"
            project.zddeploy("deploy", "--detach")
            after = set(project.serving())
            end.touch()
            said = json.loads(talkers.stdout.readline())
        finally:
            talkers.kill()

    assert before.isdisjoint(after)
    for client in said:
        assert isinstance(client, list), client
        first, stream, last = ([answer.split() for answer in part] for part in client)
        assert [word for word, _ in first] == ["kim", "1", "2", "100000"]
        assert [word for word, _ in last] == ["kim", "1", "2", "100000"], "state begins anew with the new version"
        assert [word for word, _ in stream] == [*map(str, range(1, len(stream))), "end"]
        (old,), (new,) = {who for _, who in first + stream}, {who for _, who in last}
        assert (old in before, new in after) == (True, True)
    eventually(lambda: set(project.instances()) == after)
