"""A release that is a copy of a folder with an environment in it must not run the packages of that folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from zdd.conf.services import RunService
from zdd.release.releases import Releases
from zdd.release.work import BuildFailed

from .house import House, Repository, write

VENV = f"{sys.executable} -m venv --without-pip --clear"
SCRIPT = "#!{folder}/.venv/bin/python\nprint('served')\n"
LONG = "#!/bin/sh\n'''exec' {folder}/.venv/bin/python \"$0\" \"$@\"\n' '''\nprint('served')\n"


def environment(folder: Path, script: str = SCRIPT) -> Path:
    subprocess.run([*VENV.split(), f"{folder}/.venv"], check=True)
    path = write(folder / ".venv/bin/serve", script.format(folder=folder))
    path.chmod(0o755)
    return path


def releases(house: House, source: Path, run: str, build: list[str] | None = None) -> Releases:
    made = house.releases(source, build=build or [])
    made.paths.config = replace(made.paths.config, services={"web": RunService(name="web", run=run)})
    return made


@pytest.mark.parametrize("script", [SCRIPT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("run", [".venv/bin/serve {fd}", "./.venv/bin/serve", "sh -c 'exec .venv/bin/serve'"])
def test_what_a_service_would_run_of_the_source_is_refused(house: House, tmp_path: Path, script: str, run: str) -> None:
    environment(tmp_path / "code", script)
    shop = releases(house, tmp_path / "code", run)

    with pytest.raises(BuildFailed) as caught:
        house.build(shop)

    other = f"{tmp_path}/code/.venv"
    assert caught.value.message.startswith(
        f"web: .venv/bin/serve of the release runs with the Python and the packages of {other}: "
    )
    assert "-m venv --clear .venv" in (caught.value.hint or "")
    assert house.left() == []


def test_what_nothing_is_known_to_run_is_told(house: House, tmp_path: Path) -> None:
    environment(tmp_path / "code")
    shop = releases(house, tmp_path / "code", "./start.sh")

    house.build(shop)

    (told,) = house.notices
    assert told.startswith(".venv/bin/serve of the release runs with the Python and the packages of ")


def test_an_environment_from_elsewhere_that_was_committed_is_refused_too(house: House, repository: Repository) -> None:
    environment(repository.path, SCRIPT.replace("{folder}", "/home/ada/shop"))
    repository.commit()

    with pytest.raises(BuildFailed, match=r"the Python and the packages of /home/ada/shop/\.venv"):
        house.build(releases(house, repository.path, ".venv/bin/serve"))


def test_an_environment_that_the_build_makes_is_the_release_s_own(house: House, tmp_path: Path) -> None:
    environment(tmp_path / "code")
    script = 'printf "#!%s\\nprint(1)\\n" "$PWD/.venv/bin/python" > .venv/bin/serve; chmod +x .venv/bin/serve'
    shop = releases(house, tmp_path / "code", ".venv/bin/serve", build=[f"{VENV} .venv", script])

    release = Path(shop.path(house.build(shop)))

    assert subprocess.run([release / ".venv/bin/serve"], capture_output=True, check=True).stdout == b"1\n"
    assert house.notices == []


def test_a_script_of_the_system_s_python_is_no_stray(house: House, tmp_path: Path) -> None:
    environment(tmp_path / "code", "#!/usr/bin/env python3\nprint(1)\n")
    house.build(releases(house, tmp_path / "code", ".venv/bin/serve"))

    assert house.notices == []


def test_a_link_into_the_source_is_told(house: House, tmp_path: Path) -> None:
    write(tmp_path / "code/build/app.js", "1")
    (tmp_path / "code/static").symlink_to(tmp_path / "code/build")
    (tmp_path / "code/fine").symlink_to("build")
    house.build(house.releases(tmp_path / "code"))

    assert house.notices == [f"static of the release leads into {tmp_path}/code, which may change"]
