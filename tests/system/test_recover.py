"""Whatever `status` calls broken, `recover` mends, or it says what a person must do and exits 5."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.waiting import eventually
from zdd.host.process import Process
from zdd.keeper import client

from .foreign_nginx import Foreign, configured, said
from .project import (
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    WORKER,
    Project,
    configure,
    nginx_workers,
    service,
    version,
)


class Broken(NamedTuple):
    """How a project is broken, what status says of it, and what a person must do where `recover` cannot mend it."""

    breaks: Callable[[Project], None]
    problem: str
    person: str | None = None


def kill(pid: int | None) -> None:
    found = Process.find(pid or 0)
    assert found is not None
    found.signal(signal.SIGKILL)
    assert found.wait(30)


def keeper(project: Project, name: str = "web-1") -> int:
    found = client.pids(f"{project.runtime}/control/{name}.pids").keeper
    assert found is not None
    return found.pid


def kill_keeper(project: Project) -> None:
    kill(keeper(project))


def kill_instance(project: Project) -> None:
    pid = project.serving()["web-1"]
    kill(keeper(project))
    kill(pid)


def kill_worker(project: Project) -> None:
    pid = project.serving("jobs")["jobs-1"]
    kill(keeper(project, "jobs-1"))
    kill(pid)


def kill_what_has_left_the_configuration(project: Project) -> None:
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text.partition("[service.jobs]")[0])
    kill_worker(project)


def forget_instance(project: Project) -> None:
    """Somebody has removed all that R has of it."""
    kill_instance(project)
    for path in (project.runtime / "control").glob("web-1.*"):
        path.unlink()


def stop_instance(project: Project) -> None:
    """Somebody has stopped it by its keeper."""
    os.kill(keeper(project), signal.SIGTERM)
    eventually(lambda: not list((project.runtime / "control").glob("web-1.*")))


def let_crash(project: Project) -> None:
    project.write("stillborn.web-1", "")
    kill(project.instances()["web-1"]["pid"])
    eventually(lambda: project.instances()["web-1"]["restarts"] >= 3)


def kill_master(project: Project) -> None:
    kill(int((project.runtime / "nginx.pid").read_text()))


def kill_nginx(project: Project) -> None:
    workers = nginx_workers(project)
    kill_master(project)
    for worker in workers:
        kill(worker)


def change_text(project: Project) -> None:
    path = project.state / "nginx/nginx.conf"
    path.write_text(path.read_text() + "# another hand\n")


def remove_text(project: Project) -> None:
    (project.state / "nginx/nginx.conf").unlink()


def lose_tables(project: Project) -> None:
    shutil.rmtree(project.runtime / "tables")


def lose_manifest(project: Project) -> None:
    (project.runtime / "tables/1/manifest.json").unlink()


def damage_manifest(project: Project) -> None:
    (project.runtime / "tables/1/manifest.json").write_text("{")


def load_refused_code(project: Project) -> None:
    answers = "plain.answer = lambda *_: b'HTTP/1.1 503 Sorry\\r\\nContent-Length: 0\\r\\n\\r\\n'"
    project.replace(
        "plain.py", "    main(sys.argv[1])", f"    import __main__ as plain\n    {answers}\n    main(sys.argv[1])"
    )
    project.replace("deploy.toml", "[service.web]\n", '[service.web]\nhealth_path = "/"\nstart_timeout = "1s"\n')
    project.zddeploy(code=1)
    before = project.instances()["web-1"]
    kill(before["pid"])
    eventually(lambda: project.instances()["web-1"]["restarts"] > before["restarts"])
    eventually(lambda: project.instances()["web-1"]["state"] == "serving")


def break_code(project: Project) -> None:
    project.write("plain.py", "raise SystemExit('the database is gone')\n")
    kill(project.serving()["web-1"])
    eventually(lambda: project.instances()["web-1"]["state"] == "down")


TABLE = {
    "the keeper is dead": Broken(kill_keeper, "the keeper of web-1 has died"),
    "keeper and app are dead": Broken(kill_instance, "web-1 should serve but does not run"),
    "all of it is gone": Broken(forget_instance, "web-1 should serve but does not run"),
    "it was stopped by hand": Broken(stop_instance, "web-1 should serve but does not run"),
    "a worker is dead": Broken(kill_worker, "jobs-1 should serve but does not run"),
    "a removed service is dead": Broken(kill_what_has_left_the_configuration, "jobs-1 should serve but does not run"),
    "it crashes all the time": Broken(let_crash, "web-1 should serve but is starting|web-1 is DOWN"),
    "its code is broken": Broken(break_code, "web-1 is DOWN", "the database is gone"),
    "nginx's master is dead": Broken(kill_master, "nginx's master process has died"),
    "nginx is dead": Broken(kill_nginx, "nginx does not run"),
    "nginx's text was changed": Broken(change_text, "somebody else has changed it"),
    "nginx's text is gone": Broken(remove_text, "somebody else has changed it"),
    "all tables are gone": Broken(lose_tables, "the routing table in force .1. is missing"),
    "the manifest is gone": Broken(lose_manifest, "the routing table in force", "`zddeploy down`, then `zddeploy up`"),
    "the manifest is damaged": Broken(damage_manifest, "is damaged", "`zddeploy down`, then `zddeploy`, starts over"),
    "it runs refused code": Broken(load_refused_code, "runs the code of deploy 2", "put the right code into"),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_status_calls_broken_is_mended_or_a_person_is_told(project: Project, name: str) -> None:
    breaks, problem, person = TABLE[name]
    jobs = service("jobs", **WORKER, keep_warm="0s")
    configure(project, service("web", **PLAIN, hold_max="2s"), service("api", **PLAIN_UNIX, path="/api"), jobs)
    project.zddeploy()
    breaks(project)
    broken = project.zddeploy("status", code=None)
    assert broken.returncode in (1, 5)
    assert re.search(problem, flat(broken.stdout + broken.stderr))

    said = project.zddeploy("recover", code=5 if person else 0)

    assert "nothing was interrupted" not in flat(said.stdout + said.stderr)
    if person:
        assert person in flat(said.stdout + said.stderr)
        assert project.zddeploy("status", code=None).returncode in (1, 5)
        return
    assert project.status()["problems"] == []
    assert project.status()["state"] == "serving"
    eventually(lambda: "web 1" in project.get("/"))
    eventually(lambda: "api 1" in project.get("/api"))
    again = project.zddeploy("recover").stdout
    assert flat(again).strip().startswith("nothing was interrupted; shop serves deploy ")


@pytest.mark.parametrize("kind", [PLAIN_UNIX, PLAIN_TCP], ids=["unix", "tcp"])
def test_a_dead_keeper_of_each_kind_is_replaced(project: Project, kind: dict[str, str]) -> None:
    configure(project, service("web", **kind, drain_timeout="1s"))
    project.zddeploy()
    kill_keeper(project)
    project.zddeploy("status", code=1)

    said = project.zddeploy("recover").stdout

    assert "web: nobody would start it again, starting again now" in said
    assert project.status()["problems"] == []
    assert list(project.serving()) == ["web-2"]


def test_json_ends_with_a_result_whose_exit_is_the_programs(project: Project) -> None:
    configure(project, service("web", **PLAIN, hold_max="1s"))
    project.zddeploy()
    assert project.events("recover")[-1]["exit"] == 0
    break_code(project)

    *_, result = project.events("recover", code=5)

    assert (result["event"], result["outcome"], result["exit"]) == ("result", "failed", 5)
    assert "the database is gone" in json.dumps(result["output"])


def test_what_is_off_on_purpose_is_not_started(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    assert "`zddeploy` deploys it for the first time" in project.zddeploy("recover").stdout
    project.zddeploy()
    project.zddeploy("down")

    assert "shop is down: `zddeploy up` brings it back" in project.zddeploy("recover").stdout
    assert project.status()["state"] == "down"


def test_an_interrupted_deploy_beside_something_broken(project: Project) -> None:
    """Both are mended."""
    configure(project, service("web", **PLAIN, hold_max="1s"), after_switch="touch switched; sleep 60")
    project.replace("deploy.toml", "after_switch", "#after_switch")
    project.zddeploy()
    project.replace("deploy.toml", "#after_switch", "after_switch")
    version(project, 2)
    deploy = project.beside()
    eventually((project.folder / "switched").exists)
    deploy.kill()
    deploy.wait()
    kill_nginx(project)
    assert project.status()["state"] == "interrupted"

    project.zddeploy("recover", timeout=200)

    assert project.status()["problems"] == []


WAITING = "test ! -e slow || { touch begun; while test -e slow; do sleep 0.1; done; }"


@pytest.mark.parametrize("command", ["deploy", "restart", "up", "pause", "resume", "maintenance on", "down", "recover"])
def test_every_command_that_changes_something_undoes_what_was_interrupted(project: Project, command: str) -> None:
    """As `recover --help` says."""
    configure(project, service("web", **PLAIN), before_start=WAITING)
    project.zddeploy()
    project.write("slow", "")
    deploy = project.beside()
    eventually((project.folder / "begun").exists)
    deploy.kill()
    deploy.wait()
    (project.folder / "slow").unlink()
    assert project.status()["state"] == "interrupted"

    told = flat(project.zddeploy(*command.split()).stdout)

    assert "deploy 2 was interrupted; it is undone now" in told
    assert project.status()["problems"] == []


def test_somebody_elses_nginx_that_is_down_is_for_a_person_to_start(project: Project, foreign: Foreign) -> None:
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.lead()
    foreign.stop()
    assert "no nginx runs" in said(project, "status", code=1)

    told = said(project, "recover", code=5)
    assert "nothing was interrupted" not in told
    assert "zdd does not start that nginx: start it" in told

    kill_keeper(project)
    assert "visitors get nothing" in said(project, "recover", code=5)
    assert list(project.serving()) == ["web-2"], "what can be mended is mended all the same"
    foreign.start()
    assert "nothing was interrupted" in said(project, "recover", code=0)
    assert "web 1" in project.get()


def test_an_include_that_another_hand_has_changed_is_put_back(project: Project, foreign: Foreign) -> None:
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    project.write("upstreams.conf", "upstream web { server 127.0.0.1:1; }\n")
    foreign.lead()
    assert "502 Bad Gateway" in project.get()

    assert "somebody else has changed it" not in said(project, "recover", code=0)

    assert "web 1" in project.get()
    assert list(project.serving()) == ["web-1"], "nothing else is touched"
    project.zddeploy("status")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start nginx as another user")
def test_workers_who_cannot_connect_are_admitted(project: Project, foreign: Foreign) -> None:
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.lead()
    foreign.stop()
    foreign.start(user="games")
    assert "who cannot connect to web-1" in said(project, "status", code=1)

    assert "now they can" in said(project, "recover", code=0)

    assert "web 1" in project.get()
    project.zddeploy("status")


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_what_a_reboot_has_ended_is_broken_and_what_a_person_has_ended_is_not(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    project.zddeploy("down")
    project.zddeploy("resume")  # makes the runtime folder anew
    assert "shop: down" in project.zddeploy("status").stdout
    project.zddeploy("up")
    project.reboot()

    for _ in range(2):
        shown = project.zddeploy("status", code=1).stdout
        assert "shop: down" in shown
        assert "! nothing of shop runs, and nobody has taken it down" in shown
        assert "`zddeploy up` brings deploy 2 back" in shown
        project.zddeploy("resume")  # forgets what is of another boot

    assert "serves deploy 3" in project.zddeploy("recover").stdout
    project.zddeploy("status")
    shutil.rmtree(project.state / "logs")
    project.zddeploy("down")
    project.zddeploy("status")


def test_a_first_deploy_that_failed_is_no_outage(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.write("plain.py", "raise SystemExit('the database is gone')\n")
    project.zddeploy(code=1)
    project.reboot()

    assert "nothing is deployed" in project.zddeploy("status").stdout
