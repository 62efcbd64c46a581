"""The user's own commands around a deploy, the bake, and being interrupted."""

from __future__ import annotations

import os
import signal

from tests.waiting import eventually
from zdd.claims import user_name
from zdd.host.process import Process

from .code import configure, lines
from .project import LIGHT, PLAIN, WORKER, Project, assert_nothing_lost, leftovers, service
from .project import configure as plainly


def hooks(project: Project, **changed: str) -> str:
    """Hooks that write down when they ran."""
    names = ("before_start", "after_switch", "after_deploy", "on_failure")
    said = {name: f"echo {name} $ZDD_ACTION $ZDD_OUTCOME >> {project.folder}/said" for name in names} | changed
    return "".join(f"{name} = '''{command}'''\n" for name, command in said.items())


def test_hooks_run_in_order_in_the_new_release_and_know_the_deploy(project: Project) -> None:
    environment = f"env | grep ^ZDD_ | sort > {project.folder}/env; pwd > {project.folder}/pwd"
    code = configure(project, zdd=hooks(project, before_start=environment))
    project.zddeploy()
    first = project.status()["release"]
    second = code.commit(2)
    project.zddeploy()

    env = dict(line.split("=", 1) for line in lines(project.folder / "env"))
    assert env["ZDD_PROJECT"] == "shop"
    assert (env["ZDD_RELEASE"], env["ZDD_PREVIOUS_RELEASE"]) == (second, first)
    assert (env["ZDD_ACTION"], env["ZDD_DEPLOY"]) == ("deploy", "2")
    assert lines(project.folder / "pwd") == [env["ZDD_RELEASE_PATH"]]
    assert lines(project.folder / "said")[2:] == ["after_switch deploy", "after_deploy deploy done"]


def test_hooks_find_what_the_apps_are_given_and_only_the_projects_what_we_have(project: Project) -> None:
    project.write("secrets", "DATABASE_URL=postgres://shop\nMODE=file\n")
    env_file, env = f"{project.folder}/secrets", {"MODE": "web"}
    before = {name: f"env > {project.folder}/env-{name}" for name in ("project", "web")}
    web = service("web", **PLAIN, health_path="/", env=env, env_file=env_file, before_start=before["web"])
    plainly(project, web, service("jobs", **WORKER, env={"MODE": "jobs", "JOBS": "1"}), before_start=before["project"])
    project.zddeploy()

    found = {name: dict(line.split("=", 1) for line in lines(project.folder / f"env-{name}")) for name in before}
    for given in found.values():
        assert (given["DATABASE_URL"], given["MODE"], given["ZDD_DEPLOY"]) == ("postgres://shop", "web", "1")
    assert found["project"]["JOBS"] == "1"
    assert "JOBS" not in found["web"]
    assert "PYTEST_CURRENT_TEST" in found["project"].keys() - found["web"].keys()


def test_a_failing_before_start_leaves_everything_as_it_was(project: Project) -> None:
    code = configure(project, zdd=hooks(project))
    project.zddeploy()
    project.replace("deploy.toml", "echo before_start", "echo no such table >&2; exit 7 #")
    code.commit(2)

    refused = project.zddeploy(code=1)

    assert "before_start" in refused.stderr
    assert "exit status 7" in refused.stderr
    assert "| no such table\n  all its output" in refused.stderr
    assert f"it ran as {user_name(os.geteuid())} in {project.state}/releases/" in refused.stderr
    assert lines(project.folder / "said")[-1] == "on_failure deploy undone"
    assert list(project.instances()) == ["web-1"]
    assert "X-Release: 1" in project.get()


def test_a_failing_after_switch_switches_back_and_loses_nothing(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    text = (project.folder / "deploy.toml").read_text()
    hook = f"while test ! -e {project.folder}/enough; do sleep 0.05; done; exit 1"
    project.write("deploy.toml", text.replace("[zdd]\n", f'[zdd]\nafter_switch = "{hook}"\n'))
    code.commit(2)
    with project.load(**LIGHT) as load, project.beside() as deploy:
        eventually(lambda: "X-Release: 2" in project.get())
        eventually(lambda: project.instances()["web-1"]["connections"] == 0)
        project.write("enough", "")
        assert deploy.wait(60) == 1
        eventually(lambda: list(project.instances()) == ["web-1"])
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert "2" in report.answered, "it was switched to"
    assert "X-Release: 1" in project.get()


def test_a_rollback_builds_nothing_and_runs_no_before_start(project: Project) -> None:
    code = configure(project, zdd=hooks(project))
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    (project.folder / "said").unlink()

    project.zddeploy("rollback")

    assert lines(project.folder / "said") == ["after_switch rollback", "after_deploy rollback done"]


def test_a_version_that_dies_in_the_bake_is_switched_back(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/", bake="20s"))
    project.replace("deploy.toml", 'bake = "20s"', 'bake = "0s"')
    project.zddeploy()
    project.replace("deploy.toml", 'bake = "0s"', 'bake = "20s"')
    project.write("VERSION", "2")
    with project.beside() as running:
        eventually(lambda: "X-Release: 2" in project.get())
        new = Process.find(project.serving()["web-2"])
        assert new is not None
        new.signal(signal.SIGKILL)
        assert running.wait(60) == 1

    eventually(lambda: list(project.serving()) == ["web-1"])
    eventually(lambda: "X-Release: 1" in project.get())
    entry = project.events("history", "-n", "1")[0]
    assert entry["outcome"] == "undone"
    assert "failed in the bake" in entry["cause"]


def test_a_bake_without_a_fault_commits(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/", bake="1s"))

    events = project.events()

    assert next(event for event in events if (event["event"], event.get("step")) == ("step", "bake"))["seconds"] >= 1
    assert events[-1]["outcome"] == "done"


def test_ctrl_c_in_a_hook_undoes_and_leaves_nothing_of_it(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text.replace("[zdd]\n", f'[zdd]\nbefore_start = "cd {project.folder}; sleep 300"\n'))
    code.commit(2)
    with project.beside() as running:
        eventually(lambda: any("sleep 300" in title for _, title in leftovers(project.folder)))
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 1

    eventually(lambda: not any("sleep 300" in title for _, title in leftovers(project.folder)))
    assert project.status()["deploy"] == 1
    assert project.events("history", "-n", "1")[0]["cause"] == "interrupted by SIGINT"


def test_a_lost_terminal_does_not_stop_a_deploy(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/", bake="2s"))
    with project.beside() as running:
        eventually(lambda: (project.runtime / "nginx.pid").exists())
        running.send_signal(signal.SIGHUP)
        assert running.wait(60) == 0


def test_the_refused_code_is_named_where_a_restart_would_load_it(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    project.write("plain.py", "raise SystemExit('broken')\n")

    refused = project.zddeploy(code=1)

    words = f"deploy 2 was rejected, but its code is still in {project.folder}"
    assert words in refused.stderr
    assert words in project.zddeploy("status").stdout


def test_every_deploy_has_a_log_and_a_line_in_the_history(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy("--label", "the first")
    project.write("plain.py", "raise SystemExit('broken')\n")
    project.zddeploy(code=1)

    newest, oldest = project.events("history")
    assert (oldest["deploy"], oldest["outcome"], oldest["label"]) == (1, "done", "the first")
    assert (newest["deploy"], newest["outcome"]) == (2, "undone")
    assert "ended with exit status 1" in newest["cause"]
    assert "done in" in project.log("deploy-1.log")
    assert "undone: web:" in project.log("deploy-2.log")
    (project.state / "history.jsonl").unlink()
    assert project.status()["deploy"] == 1


def test_a_hook_that_takes_too_long_is_told_which_key_says_so(project: Project) -> None:
    plainly(project, service("web", **PLAIN), before_start="sleep 600", hook_timeout="200ms")

    refused = project.zddeploy(code=1)

    assert "before_start `sleep 600` was killed: not done after 0.2 s" in refused.stderr
    assert "if it needs longer, raise hook_timeout; it ran as " in refused.stderr
