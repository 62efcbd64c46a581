"""What cannot work is told before anything is touched: exit 2, and the words that help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from .classic import ClassicProject, snapshot
from .project import BIN

NOBODY = 65534

# Root reads everything, but not without these two capabilities.
UNPRIVILEGED = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]


def refused(project: ClassicProject, *args: str) -> str:
    """Run zddeploy, which must refuse to and leave no trace; returns what it says."""
    before = snapshot(project)

    result = project.zddeploy(*args, code=2)

    assert snapshot(project) == before
    assert result.stdout == ""
    return result.stderr


def remove_conf(project: ClassicProject) -> None:
    (project.folder / "deploy.conf").unlink()


def garble(project: ClassicProject) -> None:
    project.write("deploy.conf", "start gunicorn, please\n")


def garble_toml(project: ClassicProject) -> None:
    remove_conf(project)
    project.write("deploy.toml", "[nginx\n")


def not_utf_8(project: ClassicProject) -> None:
    (project.folder / "deploy.conf").write_bytes(b"[zdd]\nproject = caf\xe9\n")


def both(project: ClassicProject) -> None:
    project.write("deploy.toml", "")


def no_stop(project: ClassicProject) -> None:
    text = (project.folder / "deploy.conf").read_text()
    project.write("deploy.conf", text.replace("stop: kill\n", ""))


def no_template_key(project: ClassicProject) -> None:
    project.replace("deploy.conf", "template: ./nginx.conf.template\n", "")


def no_suffix(project: ClassicProject) -> None:
    project.configure(nginx={"template": "./nginx.conf"})


def no_template(project: ClassicProject) -> None:
    (project.folder / "nginx.conf.template").unlink()


def binary_template(project: ClassicProject) -> None:
    (project.folder / "nginx.conf.template").write_bytes(b"\xff\xfe{web}")


def missing_nginx(project: ClassicProject) -> None:
    project.configure(nginx={"binary": "/no/such/nginx"})


def wrong_nginx(project: ClassicProject) -> None:
    project.configure(nginx={"binary": "/bin/true"})


def impossible_folder(project: ClassicProject) -> None:
    project.replace("deploy.conf", f"state_dir: {project.state}", f"state_dir: {project.folder}/VERSION/S")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove_conf, "no deploy.toml or deploy.conf in {folder}"),
        (garble, "{folder}/deploy.conf: line 1: not INI: 'start gunicorn, please'"),
        (garble_toml, "{folder}/deploy.toml: line 1: not TOML: "),
        (not_utf_8, "{folder}/deploy.conf: not UTF-8: line 2"),
        (both, "{folder} holds both deploy.toml and deploy.conf"),
        (no_stop, "[service:web] needs stop"),
        (no_template_key, "[nginx] needs template, because service web has start"),
        (no_suffix, "[nginx] template = {folder}/nginx.conf is not allowed; its name must end with .template"),
        (no_template, "[nginx] cannot read template {folder}/nginx.conf.template: No such file or directory"),
        (binary_template, "cannot read template {folder}/nginx.conf.template: "),
        (missing_nginx, "[nginx] binary = /no/such/nginx is not a program that can be run"),
        (wrong_nginx, "/bin/true is not nginx"),
        (impossible_folder, "{folder}/VERSION/S"),
    ],
)
def test_a_deploy_that_cannot_work_is_refused_before_anything_is_touched(
    classic: ClassicProject, spoil: Callable[[ClassicProject], None], words: str
) -> None:
    spoil(classic)

    said = refused(classic)
    classic.configure()  # for taking it down

    assert words.format(folder=classic.folder) in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-c", "other.conf"], "cannot read {folder}/other.conf: No such file or directory"),
        (["-c", "."], "cannot read {folder}: Is a directory"),
        (["deploy", "wbe"], "{folder}/deploy.conf has no service 'wbe'"),
        (["stauts"], "there is no command 'stauts'"),
        (["--lock-timeout", "soon"], "'soon' is not a duration"),
        (["--verbos"], "No such option"),
    ],
)
def test_a_command_that_cannot_work_is_refused_before_anything_is_touched(
    classic: ClassicProject, args: list[str], words: str
) -> None:
    assert words.format(folder=classic.folder) in refused(classic, *args)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deploy.conf", "cannot read {folder}/deploy.conf: Permission denied"),
        ("nginx.conf.template", "cannot read template {folder}/nginx.conf.template: Permission denied"),
    ],
)
def test_a_file_that_may_not_be_read_is_named(classic: ClassicProject, name: str, words: str) -> None:
    (classic.folder / name).chmod(0)
    before = snapshot(classic)
    prefix = UNPRIVILEGED if os.geteuid() == 0 else []

    result = subprocess.run(
        [*prefix, BIN / "zddeploy"], cwd=classic.folder, capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert words.format(folder=classic.folder) in result.stderr
    assert snapshot(classic) == before
    (classic.folder / name).chmod(0o644)


@pytest.mark.parametrize("which", ["state", "runtime"])
def test_a_folder_of_another_user_is_not_touched(classic: ClassicProject, which: str) -> None:
    if os.geteuid() == 0:
        folder = getattr(classic, which)
        folder.mkdir()
        os.chown(folder, NOBODY, -1)
        theirs, owner = str(folder), "nobody"
    else:
        theirs, owner = "/usr", "root"
    classic.replace("deploy.conf", f"{which}_dir: {getattr(classic, which)}", f"{which}_dir: {theirs}")

    said = refused(classic)

    assert f"{theirs} belongs to {owner}, and you are " in said
    assert f"sudo -u {owner} zddeploy" in said
    if os.geteuid() == 0:
        os.chown(theirs, 0, -1)


def test_a_project_that_belongs_to_another_configuration_is_not_touched(classic: ClassicProject) -> None:
    classic.zddeploy()
    other = classic.write("other.conf", (classic.folder / "deploy.conf").read_text())
    before = classic.traces()

    said = refused(classic, "-c", "other.conf")

    assert f"project shop belongs to {classic.folder}/deploy.conf, not to {other}" in said
    assert f"zddeploy -c {classic.folder}/deploy.conf" in said
    assert classic.traces() == before
    assert refused(classic, "-c", "other.conf", "down") == said


def test_without_any_nginx_on_the_machine_it_says_what_to_install(classic: ClassicProject) -> None:
    before = snapshot(classic)
    bare = "from zdd.nginx.process import binary; binary._FOLDERS = (); binary._WHEEL = 'no_such_package'"

    result = subprocess.run(
        [sys.executable, "-c", f"{bare}; from zdd.cli.main import main; main()"],
        cwd=classic.folder,
        env=os.environ | {"PATH": str(classic.folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "found no nginx" in result.stderr
    assert "apt install nginx" in result.stderr
    assert snapshot(classic) == before


def test_json_has_a_result_for_what_is_refused_once_the_configuration_is_read(classic: ClassicProject) -> None:
    classic.configure(nginx={"binary": "/no/such/nginx"})

    last = classic.events(code=2)[-1]

    assert last["event"] == "result"
    assert (last["outcome"], last["exit"]) == ("failed", 2)
    assert "/no/such/nginx" in last["cause"]
    classic.configure()
