from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import zdd.places
from zdd.conf import read
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.places import Places


def config(folder: Path, **zdd: str) -> Config:
    folder.mkdir(exist_ok=True)
    keys = {"project": "shop", "state_dir": f"{folder}/S", "runtime_dir": f"{folder}/R"} | zdd
    path = folder / "deploy.toml"
    path.write_text("[zdd]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items() if value))
    with path.open("a") as file:
        file.write('[service.web]\nrun = "web"\n')
    return read.load(path)


def test_checking_touches_nothing(tmp_path: Path) -> None:
    Places(config(tmp_path / "a")).check()

    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["deploy.toml"]


def test_only_we_may_look_into_the_control_folder(tmp_path: Path) -> None:
    places = Places(config(tmp_path / "a"))
    before = os.umask(0)
    try:
        places.prepare()
    finally:
        os.umask(before)

    assert os.stat(places.control).st_mode & 0o777 == 0o700
    assert os.stat(places.instances).st_mode & 0o777 == 0o711


@pytest.mark.parametrize(("mode", "mended"), [(0o700, 0o755), (0o777, 0o755), (0o750, 0o755), (0o1755, 0o1755)])
def test_the_folder_that_all_projects_share_is_open_and_nobody_elses_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, mended: int
) -> None:
    """A umask of whoever came first once decided on it."""
    monkeypatch.setattr(zdd.places, "default_state", lambda project: f"{tmp_path}/zdd/{project}")
    (tmp_path / "zdd").mkdir()
    (tmp_path / "zdd").chmod(mode)

    Places(config(tmp_path / "a", state_dir="", runtime_dir=f"{tmp_path}/R")).make_room()

    assert os.stat(tmp_path / "zdd").st_mode & 0o7777 == mended


def test_a_folder_of_somebody_who_closed_it_stays_closed(tmp_path: Path) -> None:
    places = Places(config(tmp_path / "a"))
    places.prepare()
    for folder in (places.state, places.logs):
        os.chmod(folder, 0o700)

    places.prepare()

    assert [os.stat(folder).st_mode & 0o777 for folder in (places.state, places.logs)] == [0o700, 0o700]


def test_the_runtime_folder_stays_where_it_was_chosen(tmp_path: Path) -> None:
    first = Places(config(tmp_path / "a"))
    first.prepare()
    assert Places(config(tmp_path / "a", runtime_dir="")).runtime != first.runtime  # nothing has been deployed yet

    os.mkdir(f"{first.tables}/1")
    again = Places(config(tmp_path / "a", runtime_dir=""))

    assert again.runtime == first.runtime


def test_another_configuration_of_the_same_name_is_refused_with_the_right_command(tmp_path: Path) -> None:
    ours = config(tmp_path / "a")
    Places(ours).prepare()
    theirs = config(tmp_path / "b", state_dir=f"{tmp_path}/a/S", runtime_dir=f"{tmp_path}/a/R")

    with pytest.raises(UsageError, match=f"belongs to {ours.path}") as caught:
        Places(theirs).check()

    assert caught.value.hint is not None
    assert f"zddeploy -c {ours.path}" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_another_user_is_refused_with_the_right_command(tmp_path: Path) -> None:
    made = config(tmp_path / "a")
    (tmp_path / "a/S").mkdir()
    os.chown(tmp_path / "a/S", 65534, -1)

    with pytest.raises(UsageError, match="belongs to nobody, and you are root") as caught:
        Places(made).check()

    assert caught.value.hint == "run zddeploy as nobody: sudo -u nobody zddeploy"


def test_a_socket_path_that_would_be_too_long_is_refused(tmp_path: Path) -> None:
    made = config(tmp_path / "a", runtime_dir=f"{tmp_path}/{'x' * 90}")

    with pytest.raises(UsageError, match="bytes; the path of a UNIX socket may have 107") as caught:
        Places(made).check()

    assert caught.value.hint is not None
    assert "runtime_dir" in caught.value.hint


def test_what_another_boot_left_is_not_believed(tmp_path: Path) -> None:
    made = config(tmp_path / "a")
    places = Places(made)
    places.prepare()
    Path(places.control, "web-1.json").touch()
    Path(places.current).symlink_to("tables/1")
    owner = json.loads(Path(places.owner).read_text())
    Path(places.owner).write_text(json.dumps(owner | {"boot_id": "another"}))
    assert places.stale()

    places.prepare()

    assert not places.stale()
    assert os.listdir(places.control) == []
    assert not os.path.lexists(places.current)


def test_an_ordinary_user_keeps_state_in_the_home_of_passwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(tmp_path / "a", state_dir="", runtime_dir="")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setenv("HOME", "/somewhere/else")

    assert Places(made).state == "/nonexistent/.local/state/zdd/shop"
