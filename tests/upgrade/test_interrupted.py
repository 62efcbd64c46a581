"""
One program is killed (-9) in the middle of a deploy; the other one finishes or undoes it, and nobody loses a request.

A new case is a line in CASES; a new moment is a word in MOMENTS, and what the deploy waits for there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.system.project import Call, Project, busy, eventually

from .programs import NEW, OLD
from .story import Step, Story

# Which version serves when the deploy of version 2 is killed at this moment, and still does when it was recovered.
MOMENTS = {
    "before_start": 1,
    "start": 1,  # a new instance runs and is not healthy yet
    "after_switch": 2,
    "bake": 2,
    "undo": 1,  # after_switch has failed, the old version serves again, the new one still answers somebody
}
CASES = [  # which site, where it is killed, what the other program does then, which version that makes serve
    *[("own nginx", moment, "recover", serves) for moment, serves in MOMENTS.items()],
    *[("ports", moment, "recover", MOMENTS[moment]) for moment in ("start", "after_switch", "undo")],
    ("own nginx", "start", "deploy", 3),
    ("own nginx", "after_switch", "deploy", 3),
    ("own nginx", "after_switch", "rollback", 1),
    ("own nginx", "after_switch", "down", None),
]

HOLD = """\
# hold.sh WHERE: waits there until the file `go` is there, if it is where the file `hold` says
[ "$(cat hold)" = "$1" ] || exit 0
touch held
while ! [ -e go ]; do sleep 0.02; done
"""
HOOKS = """\
before_start = "sh hold.sh before_start"
after_switch = "sh hold.sh after_switch; sh hold.sh undo; ! grep undo hold"
"""


@pytest.mark.parametrize(("killed", "other"), [(OLD, NEW), (NEW, OLD)], ids=["old killed", "new killed"])
@pytest.mark.parametrize(("site", "moment", "command", "serves"), CASES)
def test_what_is_interrupted_in_one_is_finished_or_undone_by_the_other(
    story: Callable[[str], Story], killed: str, other: str, site: str, moment: str, command: str, serves: int | None
) -> None:
    told = story(site)
    with_moments(told.site.project, moment)
    told.play([Step(killed, "deploy", 1)])
    with ExitStack() as requests:
        kill_at(moment, told, killed, requests)

        said, found = told.programs[other].status(told.site.project)
        assert (said.code, found["state"]) == (1, "interrupted"), said
        told.play([Step(other, command, serves)])
    if serves is not None:
        told.check_status(other)
        told.check_status(killed)


def with_moments(project: Project, moment: str) -> None:
    """Have the project's deploys wait where the test says."""
    project.write("hold.sh", HOLD)
    project.write("hold", "")
    bake = 'bake = "2s"\n' if moment == "bake" else ""
    project.replace("deploy.toml", "[zdd]\n", f"[zdd]\n{HOOKS}")
    project.replace("deploy.toml", 'health_path = "/"\n', f'health_command = "sh hold.sh start"\n{bake}')


def kill_at(moment: str, told: Story, killed: str, requests: ExitStack) -> None:
    """Begin to deploy version 2 and kill it there."""
    project = told.site.project
    told.tell(f"{killed} zddeploy deploy, killed: {moment}")
    project.write("hold", moment)
    told.release()
    child = told.programs[killed].start(project, "--json")
    requests.callback(end, child)
    said = project.folder / "said"
    if moment == "bake":
        eventually(lambda: '"step":"bake"' in said.read_text())
    else:
        eventually(lambda: (project.folder / "held").exists() or child.poll() is not None)
    if moment == "undo":
        told.await_versions(2)
        requests.callback(is_answered, busy(project, "freed")[0])
        project.write("go", "")
        told.await_versions(1)
    assert child.poll() is None, said.read_text()
    end(child)
    for name in ("hold", "go", "freed"):
        project.write(name, "")
    told.await_versions(MOMENTS[moment])


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def is_answered(call: Call) -> None:
    assert call.answer().startswith("HTTP/1.1 200")
