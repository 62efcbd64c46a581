"""What an app of the table is started with: its environment, its words, its folder; and what is refused beforehand."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from typing import Any

import pytest

from .project import BIN, PLAIN, Project, configure, service

USER = pwd.getpwuid(os.geteuid())


def test_an_app_sees_what_it_was_given_and_nothing_of_who_deployed_it(project: Project) -> None:
    project.write("secrets.env", "# a comment\nexport TOKEN='from the file'\nLEVEL=file\n")
    configure(project, service("web", **PLAIN, env_file="secrets.env", env={"LEVEL": "env", "EMPTY": ""}))
    deploy_with(project, LANG="C.UTF-8", DEPLOY_KEY="a secret of the CI job", BUILD_ID="17")
    env = about(project)["env"]

    assert env.pop("PATH").startswith(f"{BIN}:")
    assert env == {
        "HOME": USER.pw_dir,
        "USER": USER.pw_name,
        "LANG": "C.UTF-8",
        "TOKEN": "from the file",
        "LEVEL": "env",
        "EMPTY": "",
        "ZDD_PROJECT": "shop",
        "ZDD_SERVICE": "web",
        "ZDD_INSTANCE": "web-1",
        "ZDD_DEPLOY": "1",
        "ZDD_RELEASE": "",
        "ZDD_RELEASE_PATH": str(project.folder),
    } | {name: os.environ[name] for name in ("TZ", "VIRTUAL_ENV") if name in os.environ}


def test_a_server_that_is_told_no_descriptor_finds_it_as_systemds_servers_do(project: Project) -> None:
    configure(project, service("web", run="python -S plain.py 3"))
    project.zddeploy()
    env = about(project)["env"]
    assert (env["LISTEN_FDS"], env["LISTEN_PID"]) == ("1", str(project.serving()["web-1"]))


WAYS = [
    ("fd", "3", {"fd": "3"}),
    ("unix", "{folder}/R/instances/web-1/app.1/socket", {"socket": "{folder}/R/instances/web-1/app.1/socket"}),
    ("tcp", "PORT", {"port": "PORT"}),
]


@pytest.mark.parametrize(("way", "word", "filled"), WAYS, ids=["fd", "unix", "tcp"])
def test_placeholders_are_filled_in_run_and_in_env(
    project: Project, way: str, word: str, filled: dict[str, str]
) -> None:
    own = next(iter(filled))
    run = f"python -S plain.py {{{own}}} --name={{instance}} '--of={{release}}' {{other}}"
    configure(project, service("web", run=run, socket=way, env={"WHERE": f"at {{{own}}}", "NAME": "{instance}"}))
    project.zddeploy()
    found = about(project)

    word = word.replace("{folder}", str(project.folder)).replace("PORT", found["env"].get("PORT", ""))
    assert found["argv"][1:] == [word, "--name=web-1", "--of=", "{other}"]
    assert (found["env"]["WHERE"], found["env"]["NAME"]) == (f"at {word}", "web-1")


def test_an_app_runs_in_the_folder_of_its_configuration_or_in_cwd(project: Project) -> None:
    configure(
        project,
        service("web", **PLAIN),
        service("api", run="python -S ../plain.py {fd}", path="/api", cwd="below"),
    )
    project.write("below/VERSION", "1")
    project.zddeploy()

    assert about(project)["cwd"] == str(project.folder)
    log = project.log("api-1.log")
    assert "api 1" in project.get("/api"), log
    assert os.readlink(f"/proc/{project.serving('api')['api-1']}/cwd") == str(project.folder / "below")


def test_what_an_app_prints_is_in_its_log(project: Project) -> None:
    configure(project, service("web", run="sh -c 'echo hello; echo oops >&2; exec python -S plain.py 3'"))
    project.zddeploy()
    assert project.log("web-1.log").splitlines()[:2] == ["hello", "oops"]


INPUT = [
    ({"user": "nosuchuser"}, ["[service.web]", "nosuchuser"]),
    ({"group": "nosuchgroup"}, ["[service.web]", "nosuchgroup"]),
    ({"env_file": "no.env"}, ["cannot read env_file", "no.env: No such file"]),
    ({"env_file": "bad.env"}, ["bad.env, line 2: want NAME=VALUE", "# begins a comment"]),
]


@pytest.mark.parametrize(("keys", "words"), INPUT, ids=["user", "group", "env_file", "env_file-line"])
def test_what_an_app_cannot_be_given_is_refused_before_anything_is_touched(
    project: Project, keys: dict[str, str], words: list[str]
) -> None:
    configure(project, service("web", **PLAIN), before_start="touch begun")
    project.write("bad.env", "GOOD=1\nwhat is this\n")
    project.zddeploy()
    (project.folder / "begun").unlink()
    before = project.status()
    configure(project, service("web", **PLAIN, **keys), before_start="touch begun")
    said = project.zddeploy(code=2).stderr

    assert [word for word in words if word not in said] == []
    assert not (project.folder / "begun").exists()
    assert project.serving() == {"web-1": before["services"][0]["instances"][0]["pid"]}


def test_a_runtime_folder_too_deep_for_sockets_is_refused(project: Project) -> None:
    deep = project.folder / "/".join(["deep"] * 20)
    configure(project, service("web", **PLAIN), runtime_dir=str(deep))
    said = project.zddeploy(code=2).stderr

    assert "the path of a UNIX socket may have 107" in said
    assert "runtime_dir" in said
    assert not (project.folder / "deep").exists()
    project.replace("deploy.toml", str(deep), str(project.runtime))


def about(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.get("/about").partition("\r\n\r\n")[2])
    return found


def deploy_with(project: Project, **environment: str) -> None:
    """As somebody whose shell has these variables."""
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"} | environment
    subprocess.run([BIN / "zddeploy"], cwd=project.folder, env=env, check=True, capture_output=True, timeout=60)
