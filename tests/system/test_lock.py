"""One changing command at a time."""

from __future__ import annotations

import json
import time

from tests.waiting import eventually
from zdd.host import lock

from .classic import ClassicProject
from .project import leftovers


def test_a_second_deploy_is_refused_and_told_who_is_at_work(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()

    with classic.deploying() as deploy:
        refused = classic.zddeploy(code=3)
        last = classic.events(code=3)[-1]
        down = classic.zddeploy("down", code=3)
        status = classic.zddeploy("status")  # only looks
        classic.let_start()
        assert deploy.wait(60) == 0

    for said in (refused.stderr, down.stderr, last["cause"]):
        assert f"`zddeploy deploy`, pid {deploy.pid}, for " in said
        assert f"by {json.loads((classic.runtime / 'lock').read_text())['who']}: " in said
    assert "--lock-timeout" in refused.stderr
    assert (last["outcome"], last["exit"]) == ("failed", 3)
    assert "shop: deploy 1, deploying" in status.stdout


def test_with_a_lock_timeout_it_waits_for_its_turn(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()

    with classic.deploying() as deploy:
        patient = classic.beside("--lock-timeout", "60s")
        impatient = classic.zddeploy("deploy", "--lock-timeout", "300ms", code=3)
        assert "is being changed by" in impatient.stderr
        classic.let_start()
        assert deploy.wait(60) == 0
        assert patient.wait(60) == 0

    assert classic.status()["deploy"] == 3


def test_the_lock_timeout_can_stand_in_the_configuration(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()
    classic.replace("deploy.conf", "[zdd]\n", "[zdd]\nlock_timeout: 60s\n")

    with classic.deploying() as deploy:
        patient = classic.beside()
        time.sleep(0.3)
        assert patient.poll() is None
        classic.let_start()
        assert deploy.wait(60) == 0
        assert patient.wait(60) == 0


def test_what_a_deploy_started_does_not_hold_its_lock(classic: ClassicProject) -> None:
    classic.configure(web={"stop": "sh -c 'sleep 600; kill $0'", "drain_timeout": "0.5"})
    classic.zddeploy()
    classic.zddeploy()  # now there are an instance, an nginx and a stop command that live on

    assert not lock.is_held(f"{classic.runtime}/lock")


def test_a_killed_deploy_leaves_no_lock(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.hold_starts()
    with classic.deploying() as deploy:
        deploy.kill()
        deploy.wait()
    assert classic.status()["state"] == "interrupted"
    assert classic.zddeploy("status", code=1).stdout.count("was interrupted") == 1

    recovered = classic.zddeploy()

    assert "deploy 2 was interrupted; it is undone now" in recovered.stdout
    assert classic.states().popitem()[1] == "serving"
    eventually(lambda: sum("classic_web.py" in title for _, title in leftovers(classic.folder)) == 1)


def test_a_deploy_that_waits_for_a_down_begins_anew(classic: ClassicProject) -> None:
    stop = "sh -c 'while test ! -e enough; do sleep 0.05; done; kill $0'"
    classic.configure(web={"stop": stop, "drain_timeout": "60"})
    classic.zddeploy()
    down = classic.beside("down")
    eventually(lambda: lock.is_held(f"{classic.runtime}/lock"))

    deploy = classic.beside("--lock-timeout", "60s")
    time.sleep(0.5)
    assert deploy.poll() is None
    classic.write("enough", "")

    assert (down.wait(60), deploy.wait(60)) == (0, 0)
    assert "web 1" in classic.get()
    assert classic.status()["state"] == "serving"
