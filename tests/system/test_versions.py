"""A rollback goes to another version; what starts anew has its deploy's code, configuration and environment."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

from .code import configure
from .project import LIGHT, PLAIN, PLAIN_TCP, Project, assert_nothing_lost, service, version
from .project import configure as plainly
from .test_release import serves

ENV_FILE = 'env_file = "secrets"\n'


def about(project: Project, path: str = "") -> dict[str, Any]:
    """How the app that answers was started."""
    found: dict[str, Any] = json.loads(project.get(f"{path}/about").partition("\r\n\r\n")[2])
    return found


def mode_of(project: Project, path: str = "") -> str | None:
    """The variable MODE of the app that answers."""
    found: str | None = about(project, path)["env"].get("MODE")
    return found


def mode_is(project: Project, mode: str | None) -> None:
    """For a second after a switch both versions answer; then this one."""
    eventually(lambda: mode_of(project) == mode)


def records(project: Project) -> dict[int, Path]:
    return {int(path.stem): path for path in (project.state / "deploys").iterdir()}


def last(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = project.events("history", "-n", "1")[0]
    return found


@pytest.mark.parametrize("again", [("restart",), ("restart", "web"), ("loadtest", "--yes", "--seconds", "0.1")])
def test_a_rollback_after_a_restart_goes_to_the_version_before(project: Project, again: tuple[str, ...]) -> None:
    code = configure(project, keep_warm="0s")
    project.zddeploy()
    good = project.status()["release"]
    code.commit(2)
    project.zddeploy()
    for _ in range(2):
        project.zddeploy(*again)

    with project.load(**LIGHT) as load:
        shown = project.zddeploy("rollback").stdout
        serves(project, 1)
        assert_nothing_lost(load.stop())

    assert f"rollback 5 of shop: back to release {good} (deploy 1)" in shown
    assert (last(project)["action"], last(project)["origin"]) == ("rollback", 1)
    assert project.status()["release"] == good


def test_a_rollback_after_down_and_up_goes_to_the_version_before(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    project.zddeploy("down")
    project.zddeploy("up")
    serves(project, 2)

    project.zddeploy("rollback")

    serves(project, 1)


def test_a_rollback_passes_over_deploys_of_the_same_version(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    project.zddeploy()

    shown = project.zddeploy("rollback").stdout

    serves(project, 1)
    assert "(deploy 1)" in shown


def test_a_rollback_repeated_goes_further_back_also_after_restarts(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    for number in (2, 3):
        code.commit(number)
        project.zddeploy()
    project.zddeploy("restart")
    project.zddeploy("rollback")
    serves(project, 2)
    project.zddeploy("restart")

    project.zddeploy("rollback")

    serves(project, 1)
    assert last(project)["origin"] == 1
    refused = project.zddeploy("rollback", code=2)
    assert "so there is none to roll back to" in refused.stderr


def test_another_configuration_of_the_same_release_is_another_version(project: Project) -> None:
    configure(project, env={"MODE": "one"}, keep_warm="0s")
    project.zddeploy()
    release = project.status()["release"]
    project.replace("deploy.toml", '"one"', '"two"')
    project.zddeploy()
    mode_is(project, "two")

    shown = project.zddeploy("rollback").stdout

    mode_is(project, "one")
    assert f"rollback 3 of shop: back to release {release} (deploy 1), the same release" in shown
    assert "deploy.toml has changed since deploy 1" in shown


def test_another_environment_of_the_same_release_is_another_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project)
    monkeypatch.setenv("TZ", "UTC")
    project.zddeploy()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    project.zddeploy()
    eventually(lambda: about(project)["env"]["TZ"] == "Asia/Tokyo")

    project.zddeploy("rollback")

    eventually(lambda: about(project)["env"]["TZ"] == "UTC")


@pytest.mark.parametrize("lost", [False, True], ids=["edited", "removed"])
def test_what_starts_anew_has_the_env_file_of_its_deploy(project: Project, lost: bool) -> None:
    project.write("secrets", "MODE=one\n")
    code = configure(project, env_file="secrets", keep_warm="0s")
    project.zddeploy()
    project.write("secrets", "MODE=two\n")
    code.commit(2)
    project.zddeploy()
    if lost:
        (project.folder / "secrets").unlink()
    else:
        project.write("secrets", "MODE=three\n")

    shown = project.zddeploy("restart").stdout
    mode_is(project, "two")
    assert shown.count("has changed since deploy 2") == (0 if lost else 1)
    assert shown.count("secrets") == 1
    project.zddeploy("rollback")
    mode_is(project, "one")
    project.zddeploy("down")
    project.zddeploy("up")
    mode_is(project, "one")
    serves(project, 1)
    project.reboot()
    project.zddeploy("up")
    mode_is(project, "one")


def test_a_restart_takes_no_edited_configuration_and_says_so_in_one_line(project: Project) -> None:
    plainly(project, service("web", **PLAIN, env={"MODE": "one"}, health_path="/"))
    project.zddeploy()
    assert "has changed" not in project.zddeploy("restart").stdout
    project.replace("deploy.toml", '"one"', '"two"')

    shown = project.zddeploy("restart").stdout

    mode_is(project, "one")
    assert shown.count("has changed") == 1
    assert "deploy.toml has changed since deploy 1" in shown
    assert "`zddeploy`" in shown
    project.zddeploy()
    mode_is(project, "two")


def test_a_restart_has_the_variables_that_were_taken_over_and_a_hook_what_the_app_has(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("secrets", "MODE=one\n")
    hook = f"echo $ZDD_ACTION $MODE >> {project.folder}/said"
    plainly(project, service("web", **PLAIN, env_file="secrets", health_path="/"), after_switch=hook)
    monkeypatch.setenv("TZ", "UTC")
    project.zddeploy()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    project.write("secrets", "MODE=two\n")
    then = about(project)["env"]

    project.zddeploy("restart")

    eventually(lambda: about(project)["env"]["ZDD_INSTANCE"] == "web-2")
    now = about(project)["env"]
    assert {name: now.get(name) for name in ("PATH", "TZ", "VIRTUAL_ENV")} == {
        name: then.get(name) for name in ("PATH", "TZ", "VIRTUAL_ENV")
    }
    assert (project.folder / "said").read_text() == "deploy one\nrestart one\n"


def test_routes_and_services_go_back_with_the_version(project: Project) -> None:
    code = configure(project, env={"MODE": "web"})
    text = (project.folder / "deploy.toml").read_text()
    api = service("api", **PLAIN_TCP, path="/api", env={"MODE": "api"})
    project.write("deploy.toml", text + api)
    project.zddeploy()
    code.commit(2)
    project.write("deploy.toml", text)
    project.zddeploy()
    eventually(lambda: mode_of(project, "/api") == "web")

    project.zddeploy("rollback")

    eventually(lambda: mode_of(project, "/api") == "api")
    serves(project, 1)
    project.zddeploy("restart")
    assert mode_of(project, "/api") == "api"


def test_where_nginx_listens_goes_back_with_the_version(project: Project) -> None:
    code = configure(project)
    project.zddeploy()
    first = project.port
    project.port = first + 1
    project.replace("deploy.toml", f":{first}", f":{project.port}")
    code.commit(2)
    project.zddeploy()
    serves(project, 2)

    project.zddeploy("rollback")

    project.port = first
    serves(project, 1)


def test_services_that_are_not_named_stay_what_they_were(project: Project) -> None:
    api = {**PLAIN, "path": "/api", "health_path": "/api/"}
    plainly(project, service("web", **PLAIN, env={"MODE": "one"}), service("api", **api, env={"MODE": "one"}))
    project.zddeploy()
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text.replace('"one"', '"two"'))

    shown = project.zddeploy("deploy", "web").stdout
    assert "api" in shown
    mode_is(project, "two")
    project.zddeploy("restart", "api")
    project.zddeploy("restart")

    eventually(lambda: list(project.instances("api")) == ["api-3"] or mode_of(project, "/api") == "one")
    assert (mode_of(project), mode_of(project, "/api")) == ("two", "one")
    project.zddeploy("deploy", "api")
    eventually(lambda: mode_of(project, "/api") == "two")


def test_the_record_is_its_owners_alone_and_that_of_a_refused_deploy_is_gone(project: Project) -> None:
    code = configure(project, env={"PASSWORD": "hunter2"}, start_timeout="5s")
    before = os.umask(0)
    try:
        project.zddeploy()
    finally:
        os.umask(before)
    code.commit(2)
    project.replace("deploy.toml", 'health_path = "/"', 'health_command = "false"')
    project.zddeploy(code=1)

    found = records(project)
    assert list(found) == [1]
    assert stat.S_IMODE(found[1].stat().st_mode) == 0o600
    assert stat.S_IMODE(found[1].parent.stat().st_mode) == 0o700
    assert "hunter2" in found[1].read_text()
    assert "hunter2" not in project.log("*")


def test_records_go_with_their_releases_but_never_that_of_what_serves(project: Project) -> None:
    code = configure(project, release="keep_releases = 2", keep_warm="0s")
    project.zddeploy()
    for number in range(2, 6):
        code.commit(number)
        project.zddeploy()
    eventually(lambda: len(project.instances()) == 1)
    for _ in range(3):
        project.zddeploy("restart")

    found = records(project)
    kept = {path.name for path in (project.state / "releases").iterdir() if path.is_dir()}
    assert project.status()["deploy"] in found
    assert len(found) <= 4
    assert {json.loads(path.read_text())["release"] for path in found.values()} <= kept
    project.zddeploy("down")
    project.zddeploy("up")
    serves(project, 5)


def test_without_a_release_each_deploy_counts_and_only_what_is_warm_comes_back(project: Project) -> None:
    plainly(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    project.zddeploy("restart")

    project.zddeploy("rollback")

    assert list(project.serving()) == ["web-1"]
    refused = project.zddeploy("rollback", code=2)
    assert "so there is none to roll back to" in refused.stderr


def test_a_deploy_of_an_earlier_zddeploy_has_no_record_and_starts_as_it_always_did(project: Project) -> None:
    code = configure(project, env={"MODE": "one"}, keep_warm="0s")
    project.zddeploy()
    code.commit(2)
    project.zddeploy()
    for path in records(project).values():
        path.unlink()
    project.replace("deploy.toml", '"one"', '"two"')

    shown = project.zddeploy("restart").stdout
    assert shown.count("no record") == 1
    mode_is(project, "two")
    shown = project.zddeploy("rollback").stdout
    assert shown.count("no record") == 1

    serves(project, 1)
    mode_is(project, "two")


def test_a_damaged_record_is_told_of_and_stops_nothing(project: Project) -> None:
    configure(project)
    project.zddeploy()
    for path in records(project).values():
        path.write_text('{"deploy": 1, "services"')

    shown = project.zddeploy("restart").stdout

    assert shown.count("no record") == 1
    serves(project, 1)


def test_what_was_interrupted_after_its_switch_is_finished_as_it_was_begun(project: Project) -> None:
    code = configure(project, zdd=f"after_switch = 'test -e {project.folder}/go || kill -9 $PPID'\n", env={"MODE": "1"})
    project.write("go", "")
    project.zddeploy()
    (project.folder / "go").unlink()
    project.replace("deploy.toml", '"1"', '"2"')
    code.commit(2)
    project.zddeploy(code=-9)
    project.replace("deploy.toml", '"2"', '"3"')
    project.write("go", "")

    project.zddeploy("recover")
    project.zddeploy("restart")

    mode_is(project, "2")
    serves(project, 2)
