"""A deploy that somebody else runs is followed: on the screen, as JSON, and in status."""

from __future__ import annotations

import json

from tests.waiting import eventually

from .classic import ClassicProject


def held(classic: ClassicProject) -> dict[str, object]:
    """What status says of the deploy once it waits for the instance to start."""
    eventually(lambda: (classic.status()["running"] or {}).get("step") == "probe")
    running: dict[str, object] = classic.status()["running"]
    return running


def test_who_watches_sees_what_the_other_sees_and_exits_alike(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()

    with classic.deploying() as deploy:
        running = held(classic)
        status = classic.status()
        watch, events = classic.beside("watch"), classic.beside("watch", "--json")
        eventually(lambda: "runs `zddeploy deploy`" in watch.said() and "begin" in events.said())
        classic.let_start()
        assert (deploy.wait(60), watch.wait(60), events.wait(60)) == (0, 0, 0)

    assert running.items() >= {"deploy": 2, "action": "deploy", "pid": deploy.pid}.items()
    assert (status["state"], status["problems"]) == ("deploying", [])
    assert f"pid {deploy.pid}; `zddeploy watch` follows it" in status["notes"][-1]
    first, *lines = watch.said().splitlines()
    assert first.endswith(f" runs `zddeploy deploy`, pid {deploy.pid}")
    assert lines[0] == "deploy 2 of shop"
    assert lines[-1].startswith("done in ")
    written = (classic.state / "logs/deploy-2.jsonl").read_text()
    assert events.said() == written
    assert json.loads(written.splitlines()[-1])["event"] == "result"
    assert classic.status()["running"] is None


def test_who_watches_a_deploy_that_is_refused_is_told_why(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.configure(web={"start": "sh -c 'echo held; while test ! -e go; do sleep 0.02; done; exit 7'"})

    with classic.deploying() as deploy:
        held(classic)
        watch = classic.beside("watch", "--json")
        eventually(lambda: "begin" in watch.said())
        classic.let_start()
        assert (deploy.wait(60), watch.wait(60)) == (1, 1)

    last = json.loads(watch.said().splitlines()[-1])
    assert (last["event"], last["outcome"]) == ("result", "undone")
    assert "ended with exit status 7" in last["cause"]


def test_a_deploy_that_is_killed_is_told_as_interrupted(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()

    with classic.deploying() as deploy:
        held(classic)
        watch = classic.beside("watch")
        eventually(lambda: "deploy 2 of shop" in watch.said())
        deploy.kill()
        deploy.wait()
        assert watch.wait(60) == 5

    assert "ended in the middle of a deploy" in watch.said()
    assert "`zddeploy recover` finishes or undoes it" in watch.said()


def test_where_nothing_is_under_way_there_is_nothing_to_watch(classic: ClassicProject) -> None:
    classic.zddeploy()

    shown = classic.zddeploy("watch").stdout

    assert shown == "nothing is under way; `zddeploy status` shows what shop serves\n"
