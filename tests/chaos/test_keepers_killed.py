"""
A keeper is killed (-9) at every system call of its life that changes something: while it starts its app, serves, and is
retired. What serves goes on serving, and the next deploy is like any other.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter

import pytest

from tests.system.project import PLAIN, PLAIN_UNIX, Project, assert_nothing_lost, configure, service
from tests.waiting import eventually

from .test_killed_anywhere import CHANGING, ONLY_POSTS, bump, sample

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (Debian's package strace)")

# The tracer is no parent of the keeper, which so has the number that zddeploy knows; its children are not traced.
TRACED = """\
import os
from zdd.instances import keeper_start

plain = keeper_start._keeper_of
keeper_start._keeper_of = lambda record: ["strace", "-D", "-o", *os.environ["TRACE"].split(), *plain(record)]
"""


@pytest.mark.parametrize("way", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_a_keeper_killed_anywhere_costs_nothing(
    project: Project, way: dict[str, str], everything: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, service("web", **way, health_path="/", keep_warm="0s"))
    project.write("traced/sitecustomize.py", TRACED)
    project.zddeploy()
    points = life(project, monkeypatch)
    chosen = points if everything else sample(points)
    with project.load(ONLY_POSTS, rate=50, connections=8) as load:
        codes = Counter(killed_at(project, point, monkeypatch) for point in chosen)
        report = load.stop()

    print(f"{len(points)} points, {len(chosen)} tried, exit codes {dict(codes)}, {report.requests} POSTs")
    assert_nothing_lost(report)


def life(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Record the life of a keeper; returns where it can be killed, as (system call, how many-th)."""
    log = project.folder / "strace"
    deploy_traced(project, f"{log} -e trace={CHANGING}", monkeypatch)
    bump(project)
    project.zddeploy()
    eventually(lambda: "exited" in log.read_text())
    counts: Counter[str] = Counter()
    points = []
    for call in re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE):
        counts[call] += 1
        points.append((call, counts[call]))
    assert len(points) > 20, f"implausibly few points: {points}"
    return points


def killed_at(project: Project, point: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> int:
    """Deploy with a keeper that is killed there, then without; returns the exit code of the first."""
    call, count = point
    trace = f"/dev/null -e trace={call} -e inject={call}:signal=KILL:when={count}"
    try:
        code = deploy_traced(project, trace, monkeypatch)
        assert "200 OK" in project.get()
        bump(project)
        project.zddeploy()
        project.zddeploy("recover")  # ends the app of a keeper that was killed as it was retired
        eventually(lambda: len(project.instances()) == 1)
        assert project.status()["problems"] == []
    except BaseException as error:
        error.add_note(f"killed at {point}")
        raise
    return code


def deploy_traced(project: Project, trace: str, monkeypatch: pytest.MonkeyPatch) -> int:
    bump(project)
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(project.folder / "traced"))
        patched.setenv("TRACE", trace)
        done = project.zddeploy(code=None)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode
