"""
One program is killed (-9) in the middle of a deploy; the other one finishes or undoes it, and nobody loses a request.

A new case is a line in CASES; a new moment is a word in MOMENTS, and what the deploy waits for there.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.project import Project
from tests.waiting import eventually
from zdd.host import process

from .programs import NEW, OLD
from .story import Step, Story

# Which version serves after the deploy of version 2 was killed at this moment.
MOMENTS = {
    "before_start": 1,
    "start": 1,  # a new instance runs and is not healthy yet
    "after_switch": 2,
    "bake": 2,
    "turned": 2,  # after_switch has failed, and it is about to switch back
    "undo": 1,  # after_switch has failed, the old version serves again, and the new one's instances still run
}
Then = list[tuple[str, int | None]]
CASES: list[
    tuple[str, str, Then]
] = [  # which site, where it is killed, what the other program does then, and which version serves after that
    ("own nginx", "before_start", [("recover", 1)]),
    ("own nginx", "start", [("recover", 1)]),
    ("own nginx", "start", [("deploy", 3)]),
    ("own nginx", "after_switch", [("recover", 2), ("rollback", 1)]),
    ("own nginx", "after_switch", [("deploy", 3), ("rollback", 2)]),
    ("own nginx", "after_switch", [("down", None)]),
    ("own nginx", "bake", [("recover", 2)]),
    ("own nginx", "turned", [("recover", 1)]),
    ("own nginx", "undo", [("recover", 1)]),
    ("own nginx", "undo", [("deploy", 3), ("rollback", 1)]),
    ("ports", "start", [("recover", 1)]),
    ("ports", "after_switch", [("recover", 2)]),
    ("ports", "undo", [("recover", 1)]),
]

SWITCHED = '"event": ?"step", ?"step": ?"after-switch"'  # with spaces as the old one prints it
KILLED_AT_SWITCH = Path(__file__).with_name("killed_at_switch.py")

HOLD = """\
# hold.sh WHERE: waits there until the file `go` is there, if it is where the file `hold` says
[ "$(cat hold)" = "$1" ] || exit 0
touch held
while ! [ -e go ]; do sleep 0.02; done
"""
HOOKS = """\
before_start = "sh hold.sh before_start"
after_switch = "sh hold.sh after_switch; sh hold.sh undo; ! grep -qE 'undo|turned' hold"
"""


@pytest.mark.parametrize(("killed", "other"), [(OLD, NEW), (NEW, OLD)], ids=["old killed", "new killed"])
@pytest.mark.parametrize(
    ("site", "moment", "then"), [pytest.param(*case, id=f"{case[0]}, {case[1]}, {case[2][0][0]}") for case in CASES]
)
def test_what_is_interrupted_in_one_is_finished_or_undone_by_the_other(
    story: Callable[[str], Story], killed: str, other: str, site: str, moment: str, then: Then
) -> None:
    told = story(site)
    with_moments(told.site.project, moment)
    told.play([Step(killed, "deploy", 1)])
    kill_at(moment, told, killed)
    told.await_versions(MOMENTS[moment])
    said, found = told.programs[other].status(told.site.project)
    assert (said.code, found["state"]) == (1, "interrupted"), said

    told.play([Step(other, command, serves) for command, serves in then])

    if then[-1][1] is not None:
        told.check_status(other)
        told.check_status(killed)


def with_moments(project: Project, moment: str) -> None:
    """Have the project's deploys wait where the test says."""
    project.write("hold.sh", HOLD)
    project.write("hold", "")
    bake = 'bake = "2s"\n' if moment == "bake" else ""
    project.replace("deploy.toml", "[zdd]\n", f"[zdd]\n{HOOKS}")
    project.replace("deploy.toml", 'health_path = "/"\n', f'health_command = "sh hold.sh start"\n{bake}')


def kill_at(moment: str, told: Story, killed: str) -> None:
    """Begin to deploy version 2, and kill the program there."""
    project = told.site.project
    before, served = keepers(told), leads_to(project)
    told.tell(f"{killed} zddeploy deploy, killed: {moment}")
    project.write("hold", moment)
    told.release()
    said = project.folder / "said"
    below = [told.programs[killed].python, str(KILLED_AT_SWITCH), "2"] if moment == "turned" else []
    with told.programs[killed].start(project, "--json", below=below) as child, ExitStack() as undone:
        undone.callback(child.kill)
        if moment == "turned":
            assert child.wait(60) == -signal.SIGKILL, said.read_text()
        elif moment == "bake":
            await_moment(lambda: re.search(SWITCHED, said.read_text()) or child.poll() is not None, said)
        else:
            await_moment(lambda: (project.folder / "held").exists() or child.poll() is not None, said)
        if moment == "undo":
            for keeper in keepers(told) - before:
                undone.callback(os.kill, keeper, signal.SIGCONT)
                os.kill(keeper, signal.SIGSTOP)  # the program asks it to stop its app, and waits for its answer
            project.write("go", "")
            eventually(lambda: leads_to(project) == served)  # before that, pooled connections may answer so, too
            told.await_versions(MOMENTS[moment])
        assert child.poll() in (None, -signal.SIGKILL), said.read_text()
    project.write("hold", "")  # what is run from now on does not wait, and what waits yet goes on
    project.write("go", "")


def await_moment(holds: Callable[[], object], said: Path) -> None:
    """Wait until the deploy is there; a machine that is busy with a load and with other tests takes long."""
    try:
        eventually(holds, 150)
    except AssertionError as error:
        raise AssertionError(f"{error}; the deploy printed\n{said.read_text()}") from None


def leads_to(project: Project) -> str:
    """Where nginx is led to: the table in force."""
    return os.readlink(project.runtime / "current")


def keepers(told: Story) -> set[int]:
    """The keepers of all instances there are."""
    _, found = told.programs[NEW].status(told.site.project)
    apps = {row["pid"] for one in found["services"] for row in one["instances"] if row["pid"]}
    return {parent for pid, parent in process.parents().items() if pid in apps}
