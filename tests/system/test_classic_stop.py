"""Old instances: their stop command is run when nobody needs them any more, never waited for, and never forgotten."""

from __future__ import annotations

import pytest

from tests.machine import patiently
from tests.waiting import eventually
from zdd.host.process import Process

from .classic import ClassicProject, web
from .project import Call, leftovers

SLEEPING = "sh -c 'sleep 600; kill $0'"


def alive(pid: int) -> bool:
    return Process.find(pid) is not None


def deploy(project: ClassicProject) -> int:
    """Deploy once more; returns the new instance's process."""
    project.zddeploy()
    return project.pid()


def test_a_stop_command_that_sleeps_is_never_waited_for_and_ended_by_down(classic: ClassicProject) -> None:
    classic.configure(web={"stop": SLEEPING, "drain_timeout": "0.5"})
    first = deploy(classic)

    second = deploy(classic)  # which would take 600 s

    assert alive(first)
    assert classic.states() == {"web-1": "stopping", "web-2": "serving"}

    deploy(classic)
    assert alive(first)
    assert alive(second)
    assert classic.states() == {"web-1": "stopping", "web-2": "stopping", "web-3": "serving"}

    classic.zddeploy("down")
    assert leftovers(classic.folder) == []


@pytest.mark.parametrize("start", ["", 'sh -c \'trap "" TERM; exec "$@"\' sh'], ids=["obeys TERM", "ignores TERM"])
def test_what_a_stop_command_left_alive_is_ended_by_the_next_deploy(classic: ClassicProject, start: str) -> None:
    classic.configure()
    plain = web("web")
    classic.configure(web={"start": f"{start} {plain}".strip(), "stop": "true", "stop_timeout": "0.5"})
    first = deploy(classic)

    second = deploy(classic)
    eventually(lambda: "true" not in [title for _, title in leftovers(classic.folder)])
    assert alive(first)
    assert classic.states() == {"web-1": "stopping", "web-2": "serving"}

    deploy(classic)
    assert not alive(first)
    assert alive(second)
    assert classic.states() == {"web-2": "stopping", "web-3": "serving"}


def test_a_stop_command_that_outlives_its_instance_is_not_forgotten(classic: ClassicProject) -> None:
    classic.configure(web={"stop": "sh -c 'kill $0; sleep 600'"})
    first = deploy(classic)
    deploy(classic)
    eventually(lambda: not alive(first))
    eventually(lambda: any(title.startswith("sleep 600") for _, title in leftovers(classic.folder)))

    deploy(classic)
    classic.zddeploy("down")

    assert leftovers(classic.folder) == []


def test_the_stop_command_comes_only_when_the_old_requests_are_answered(classic: ClassicProject) -> None:
    classic.configure(web={"stop": "kill -9"})
    first = deploy(classic)
    slow = Call(classic, "/slow")
    slow.await_read()
    classic.release("2")

    deploy(classic)
    assert "web 2" in classic.get()
    answer = slow.answer()

    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith("web 1\n")
    eventually(lambda: not alive(first))


def test_the_stop_command_comes_at_last_though_a_client_holds_on_to_an_old_worker(classic: ClassicProject) -> None:
    def attempt(seconds: float) -> None:
        classic.configure(web={"drain_timeout": f"{seconds:g}"})
        first = deploy(classic)
        workers = set(classic.nginx_pids()[1:])
        half = Call(classic, "/", body=10)
        half.await_read()
        deploy(classic)
        waited_for = alive(first)

        assert workers & set(classic.nginx_pids()), "one waits for the other half"
        eventually(lambda: not alive(first))
        assert workers & set(classic.nginx_pids()), "and longer than the stop command has waited for it"
        half.connection.close()
        assert waited_for

    patiently(attempt, 3, 20)


def test_a_stop_command_that_does_not_exist_does_no_harm(classic: ClassicProject) -> None:
    classic.configure(web={"stop": "no-such-stop --now"})
    first = deploy(classic)

    deploy(classic)

    eventually(lambda: "cannot run 'no-such-stop'" in classic.log("web-1.log"))
    deploy(classic)
    assert not alive(first)


def test_down_gives_a_serving_instance_its_stop_command_and_leaves_nothing_that_lives(classic: ClassicProject) -> None:
    classic.configure(web={"stop": "sh -c 'echo stopping $0 > stopped; kill $0'"})
    pid = deploy(classic)

    classic.zddeploy("down")

    assert (classic.folder / "stopped").read_text() == f"stopping {pid}\n"
    assert leftovers(classic.folder) == []
    assert not classic.runtime.exists()
    assert "runtime" not in {path.name for path in classic.state.iterdir()}
    assert not list(classic.folder.glob("*.pid"))
    assert not list(classic.folder.glob("*.port"))


def test_down_twice_and_down_without_a_deploy_are_fine(classic: ClassicProject) -> None:
    classic.zddeploy("down")
    deploy(classic)
    classic.zddeploy("down")
    classic.zddeploy("down")

    assert not classic.runtime.exists()
    deploy(classic)
    assert "web 1" in classic.get()


def test_an_instance_that_has_to_be_killed_is_told_everywhere(classic: ClassicProject) -> None:
    """Neither the stop command nor SIGTERM ends it: the next deploy kills it, and says that its work is lost."""
    classic.configure()
    deaf = f'sh -c \'trap "" TERM; exec "$@"\' sh {web("web")}'
    classic.configure(web={"start": deaf, "stop": "false", "stop_timeout": "0.5"})
    deploy(classic)
    deploy(classic)
    eventually(lambda: "false" not in [title for _, title in leftovers(classic.folder)])

    told = classic.events("deploy")
    drains = {event["subject"]: event for event in told if event["event"] == "drain"}
    reason = "not stopped within stop_timeout (0.5 s) by `false` and SIGTERM, so what it was doing is lost"
    assert drains["web-1"]["text"] == f"killed: {reason}"
    assert drains["web-1"]["killed_after"] == 0.5
    assert told[-1]["killed"] == ["web-1"]
    assert "web-1 was killed at" in classic.zddeploy("status").stdout
    assert reason in classic.zddeploy("history").stdout

    down = classic.zddeploy("down").stdout
    assert f"web-3 killed: {reason}" in " ".join(down.split())


def test_workers_that_a_classic_master_leaves_get_the_rest_of_stop_timeout(classic: ClassicProject) -> None:
    """The master ends at once when it is told to; its worker needs a second, and writes what it has finished."""
    worker = 'trap "sleep 1; echo finished >> finished; exit" TERM; while :; do sleep 0.1; done'
    classic.write("worker.sh", worker)
    classic.configure(web={"start": f"sh -c 'sh worker.sh & exec \"$@\"' sh {web('web')}", "stop": "true"})
    deploy(classic)

    classic.zddeploy("down")

    assert (classic.folder / "finished").read_text() == "finished\n"
    assert leftovers(classic.folder) == []
