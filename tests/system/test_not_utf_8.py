"""Names that are not UTF-8 are shown with replacements; the deploy, its history and its hooks go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from .project import APPS, BIN, PLAIN, Project, configure, service

ODD = b"odd\xff"
SHOWN = "odd\N{REPLACEMENT CHARACTER}"


def zddeploy(project: Project, *args: bytes | str, code: int = 0, folder: bytes | None = None) -> str:
    """Run zddeploy as a shell does, which passes bytes; return all that it prints."""
    run = subprocess.run(
        [os.fsencode(BIN / "zddeploy"), *map(os.fsencode, args)],
        cwd=folder or project.folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = run.stdout.decode()
    assert run.returncode == code, said
    assert "Traceback" not in said
    assert "a mistake in zdd" not in said
    return said


def test_a_label_and_the_files_of_a_release(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    (project.folder / "code/VERSION").write_text("1")
    static = os.fsencode(project.folder / "code/static")
    os.makedirs(static + b"/" + ODD)
    for name in (b"a.css", b"a\xfe.css", ODD + b"/b.css"):
        with open(static + b"/" + name, "wb") as file:
            file.write(b"text")
    os.symlink(b"a\xfe.css", static + b"/link\xfd")
    hook = f"echo $ZDD_OUTCOME >> {project.folder}/hooks"
    configure(project, service("web", **PLAIN, health_path="/"), after_deploy=hook, on_failure=hook)
    release = '[release]\nsource = "code"\nassets = ["static"]\n'
    project.replace("deploy.toml", "[service.web]", f"{release}[service.web]")

    zddeploy(project, "--label", ODD)

    assert sorted(os.listdir(os.fsencode(project.state / "assets/static"))) == [
        b"a.css",
        b"a\xfe.css",
        b"link\xfd",
        ODD,
    ]
    assert f"  {SHOWN}\n" in zddeploy(project, "history")
    assert json.loads(zddeploy(project, "history", "--json"))["label"] == SHOWN
    events = [json.loads(line) for line in zddeploy(project, "--json", "--label", ODD).splitlines()]
    assert events[-1]["outcome"] == "done"
    assert (project.folder / "hooks").read_text() == "done\ndone\n"


def test_a_file_that_fails_a_build(project: Project) -> None:
    shutil.copytree(APPS, project.folder / "code")
    deep = os.fsencode(project.folder / "code")
    for _ in range(260):  # deeper than zdd copies
        deep += b"/\xff"
        os.mkdir(deep)
    hook = f"printenv ZDD_CAUSE >> {project.folder}/hooks"
    configure(project, service("web", **PLAIN), on_failure=hook)
    project.replace("deploy.toml", "[service.web]", '[release]\nsource = "code"\n[service.web]')

    said = zddeploy(project, code=1)

    cause = f"{project.folder}/code/\N{REPLACEMENT CHARACTER}/"
    assert "cannot build release" in said
    assert cause in said
    assert cause in zddeploy(project, "history")
    assert cause in (project.folder / "hooks").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["--rev", ODD],
        ["deploy", ODD],
        ["-c", ODD],
        [ODD],
        ["rollback", ODD],
        ["logs", ODD],
        ["exec", ODD, "--", "true"],
        ["--" + ODD.decode(errors="surrogateescape")],
    ],
    ids=lambda words: str(words[0]),
)
def test_arguments_are_refused_like_others(project: Project, words: list[bytes | str]) -> None:
    configure(project, service("web", **PLAIN))

    assert zddeploy(project, *words, code=2)


def test_a_message_for_maintenance_is_readable(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()

    zddeploy(project, "maintenance", "on", "--message", ODD)

    assert SHOWN in project.get()
    zddeploy(project, "maintenance", "off")


@pytest.mark.parametrize("command", ["deploy", "status", "check", "config", "history", "down", "logs"])
def test_a_folder_of_the_configuration_is_refused_with_what_to_do(project: Project, command: str) -> None:
    configure(project, service("web", **PLAIN))
    folder = os.fsencode(project.folder) + b"/" + ODD
    os.mkdir(folder)
    shutil.copy(os.fsencode(project.folder / "deploy.toml"), folder)

    said = zddeploy(project, command, code=2, folder=folder)

    assert f"{project.folder}/{SHOWN}/deploy.toml: this path is not UTF-8" in said
    assert "rename the folder" in said
