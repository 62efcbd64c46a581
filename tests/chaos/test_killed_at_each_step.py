"""
zddeploy is killed (-9) before and after each step of a deploy, of its undo and of its reload, where nginx's text names
ports; `recover` then finishes or undoes it at 200 requests a second, and says what visitors get.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.at_load import BUSY, behind_template
from tests.system.conftest import foreign
from tests.system.foreign_nginx import Foreign, configured
from tests.system.project import (
    PLAIN_TCP,
    Project,
    assert_only_reloads_cost,
    service,
    version,
)
from tests.waiting import eventually

__all__ = ["foreign"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")

STEPS = ("begin", "start", "prepare", "probe", "proxy", "reload", "publish", "check", "commit")
ALL = [f"{way} {step} {when}" for way in ("do", "undo") for step in STEPS for when in ("before", "after")]
POINTS = [point for point in ALL if not point.startswith("undo commit")]  # after it nothing is undone
SOME = ["do reload before", "do proxy after", "do publish after", "undo proxy before", "undo reload after"]
KILLS = """\
import os, signal
from msgspec.structs import replace
from zdd.deploy import plan
from zdd.errors import DeployFailed
from zdd.nginx.process import commanded, nginx

WAY, STEP, WHEN = os.environ.get("KILL_AT", "- - -").split()
way = "do"

def die(at, step, when):
    if (way if at is None else at, step, when) == (WAY, STEP, WHEN):
        os.kill(os.getpid(), signal.SIGKILL)

def around(act, at, step):
    def wrapped(*args, **more):
        global way
        way = at or way
        die(at, step, "before")
        result = act(*args, **more)
        if (at, step, WAY) == ("do", "check", "undo"):
            raise DeployFailed("seen to fail")
        die(at, step, "after")
        return result
    return wrapped

def wrap(make):
    def made(*args):
        steps = make(*args)
        return [replace(s, do=around(s.do, "do", s.name), undo=around(s.undo, "undo", s.name)) for s in steps]
    return made

if WAY != "-":
    plan.before_commit = wrap(plan.before_commit)
    nginx.NginxProcess._reload = around(nginx.NginxProcess._reload, None, "reload")
    commanded.CommandedNginx._await = around(commanded.CommandedNginx._await, None, "reload")
"""


@pytest.fixture(params=["template", "include"])
def shop(project: Project, foreign: Foreign, request: pytest.FixtureRequest) -> Project:
    """A service whose every deploy needs a reload, and whose old version is stopped at once."""
    web = PLAIN_TCP | {"keep_warm": "0s", "health_path": "/", "health_host": "www.test"}
    if request.param == "include":
        foreign.start()
        configured(project, foreign, run=web)
        project.zddeploy()
        foreign.lead(site="server_name www.test;")
    else:
        behind_template(project, "", service("web", **web))
        project.zddeploy()
    project.write("kills/sitecustomize.py", KILLS)
    return project


def test_recover_ends_what_was_killed_at_any_step(
    shop: Project, everything: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, points = 1, POINTS if everything else SOME
    with shop.load(host="www.test", **BUSY) as load:
        for number, point in enumerate(points, 2):
            version(shop, number)
            with monkeypatch.context() as patched:
                patched.setenv("PYTHONPATH", str(shop.folder / "kills"))
                patched.setenv("KILL_AT", point)
                done = shop.zddeploy(code=None)
            assert done.returncode == -signal.SIGKILL, f"{point}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            words = shop.zddeploy("recover", code=None)
            said = f"{point}: exit {words.returncode}\n{words.stdout}{words.stderr}"
            assert words.returncode == 0, said
            if "it is finished now" in words.stdout + words.stderr or point == "do commit after":
                serving = number
            eventually(lambda: len(shop.instances()) == 1)
            assert f"X-Release: {serving}" in shop.get(host="www.test"), said
            assert shop.status()["problems"] == [], said
        report = load.stop()

    assert_only_reloads_cost(report)
    print(f"{len(points)} points, {dict(report.failed)} of {report.requests} requests")
