from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

import zdd.paths
from zdd import claims, living
from zdd.conf import read
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.paths import Paths


def config(folder: Path, **zdd: str) -> Config:
    folder.mkdir(exist_ok=True)
    keys = {"project": "shop", "state_dir": f"{folder}/S", "runtime_dir": f"{folder}/R"} | zdd
    path = folder / "deploy.toml"
    path.write_text("[zdd]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items() if value))
    with path.open("a") as file:
        file.write('[service.web]\nrun = "web"\n')
    return read.load(path)


def test_checking_touches_nothing(tmp_path: Path) -> None:
    Paths(config(tmp_path / "a")).check()

    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["deploy.toml"]


def test_only_we_may_look_into_the_control_folder(tmp_path: Path) -> None:
    paths = Paths(config(tmp_path / "a"))
    before = os.umask(0)
    try:
        paths.prepare()
    finally:
        os.umask(before)

    assert os.stat(paths.control).st_mode & 0o777 == 0o700
    assert os.stat(paths.instances).st_mode & 0o777 == 0o711


@pytest.mark.parametrize(("mode", "mended"), [(0o700, 0o755), (0o777, 0o755), (0o750, 0o755), (0o1755, 0o1755)])
def test_the_folder_that_all_projects_share_is_open_and_nobody_elses_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, mended: int
) -> None:
    """A umask of whoever came first once decided on it."""
    monkeypatch.setattr(zdd.paths, "default_state", lambda project: f"{tmp_path}/zdd/{project}")
    (tmp_path / "zdd").mkdir()
    (tmp_path / "zdd").chmod(mode)

    Paths(config(tmp_path / "a", state_dir="", runtime_dir=f"{tmp_path}/R")).make_room()

    assert os.stat(tmp_path / "zdd").st_mode & 0o7777 == mended


def test_a_folder_of_somebody_who_closed_it_stays_closed(tmp_path: Path) -> None:
    paths = Paths(config(tmp_path / "a"))
    paths.prepare()
    for folder in (paths.state, paths.logs):
        os.chmod(folder, 0o700)

    paths.prepare()

    assert [os.stat(folder).st_mode & 0o777 for folder in (paths.state, paths.logs)] == [0o700, 0o700]


def test_the_runtime_folder_stays_where_it_was_chosen(tmp_path: Path) -> None:
    first = Paths(config(tmp_path / "a"))
    first.prepare()
    assert Paths(config(tmp_path / "a", runtime_dir="")).runtime != first.runtime  # nothing has been deployed yet

    os.mkdir(f"{first.tables}/1")
    again = Paths(config(tmp_path / "a", runtime_dir=""))

    assert again.runtime == first.runtime


def test_another_configuration_of_the_same_name_is_refused_with_the_right_command(tmp_path: Path) -> None:
    ours = config(tmp_path / "a")
    Paths(ours).prepare()
    theirs = config(tmp_path / "b", state_dir=f"{tmp_path}/a/S", runtime_dir=f"{tmp_path}/a/R")

    with pytest.raises(UsageError, match=f"belongs to {ours.path}") as caught:
        Paths(theirs).check()

    assert caught.value.hint is not None
    assert f"zddeploy -c {ours.path}" in caught.value.hint


def reached(path: Path) -> Paths:
    return Paths(read.load(path))


@pytest.mark.parametrize("way", ["link to the folder", "link to the file", "hard link", "replaced by an editor"])
def test_one_file_is_one_project_by_whatever_path_it_is_reached(tmp_path: Path, way: str) -> None:
    ours = config(tmp_path / "a")
    Paths(ours).prepare()
    path = tmp_path / "other.toml"
    if way == "link to the folder":
        (tmp_path / "b").symlink_to(tmp_path / "a")
        path = tmp_path / "b/deploy.toml"
    elif way == "link to the file":
        path.symlink_to(ours.path)
    elif way == "hard link":
        path.hardlink_to(ours.path)
    else:
        path.write_text(ours.path.read_text())
        path.rename(ours.path)
        path = ours.path

    paths = reached(path)
    paths.check()
    assert paths.moved_from() is None
    paths.prepare()
    Paths(ours).check()


def test_a_link_that_leads_to_another_release_is_still_the_same_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = config(tmp_path / "1", state_dir=f"{tmp_path}/S", runtime_dir=f"{tmp_path}/R")
    two = config(tmp_path / "2", state_dir=f"{tmp_path}/S", runtime_dir=f"{tmp_path}/R")
    current = tmp_path / "current"
    current.symlink_to("1")
    Paths(one).prepare()
    reached(current / "deploy.toml").prepare()
    current.unlink()
    current.symlink_to("2")

    reached(current / "deploy.toml").check()
    reached(two.path).check()
    with pytest.raises(UsageError, match=f"belongs to {current}/deploy.toml"):
        reached(one.path).check()


def test_a_link_that_somebody_went_through_in_the_shell_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("1", "2"):
        config(tmp_path / number, state_dir=f"{tmp_path}/S", runtime_dir=f"{tmp_path}/R")
    current = tmp_path / "current"
    monkeypatch.setenv("PWD", str(current))
    for number in ("1", "2"):
        current.unlink(missing_ok=True)
        current.symlink_to(number)
        monkeypatch.chdir(current)
        paths = reached(read.find(None, Path.cwd()))
        assert paths.config.path == tmp_path / number / "deploy.toml"

        paths.check()
        paths.prepare()

    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.chdir(tmp_path / "1")
    with pytest.raises(UsageError, match="belongs to"):
        reached(read.find(None, Path.cwd())).check()


def test_a_file_that_is_gone_locks_nobody_out(tmp_path: Path) -> None:
    ours = config(tmp_path / "a", state_dir=f"{tmp_path}/S", runtime_dir=f"{tmp_path}/R")
    Paths(ours).prepare()
    (tmp_path / "a").rename(tmp_path / "b")

    moved = reached(tmp_path / "b/deploy.toml")
    moved.check()

    assert moved.moved_from() == str(ours.path)
    moved.prepare()
    assert moved.moved_from() is None
    assert json.loads(Path(moved.owner).read_text())["conf"] == f"{tmp_path}/b/deploy.toml"


def test_what_an_earlier_zddeploy_wrote_is_understood(tmp_path: Path) -> None:
    ours = config(tmp_path / "a")
    Paths(ours).prepare()
    owner = {
        "conf": str(ours.path),
        "uid": os.geteuid(),
        "boot_id": json.loads(Path(Paths(ours).owner).read_text())["boot_id"],
    }
    Path(Paths(ours).owner).write_text(json.dumps(owner))
    (tmp_path / "b").symlink_to(tmp_path / "a")

    reached(tmp_path / "b/deploy.toml").check()
    Paths(ours).check()


def deployed_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration of nobody's, and what its zddeploy has written into nobody's home."""
    made = config(tmp_path / "a", state_dir="", runtime_dir="")
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home"
    users = {nobody.pw_uid: pwd.struct_passwd([*nobody[:5], str(home), "/bin/sh"])}
    real = pwd.getpwuid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: users.get(uid) or real(uid))
    state = home / ".local/state/zdd/shop"
    (state / "run").mkdir(parents=True)
    (state / "runtime").write_text(f"{state}/run\n")
    (state / "run/owner").write_text(json.dumps({"conf": str(made.path), "uid": nobody.pw_uid, "boot_id": "x"}))
    for path in (made.path, state / "runtime", state / "run/owner"):
        os.chown(path, nobody.pw_uid, -1)
    return made


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")


@needs_root
def test_root_is_refused_where_a_user_has_deployed_this_very_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deployed_by_nobody(tmp_path, monkeypatch)

    with pytest.raises(UsageError, match=r"is deployed by nobody .*, and you are root") as caught:
        Paths(made).check()

    assert f"`sudo -u nobody zddeploy -c {made.path}`" in (caught.value.hint or "")


@needs_root
def test_root_is_refused_where_who_called_sudo_has_deployed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = deployed_by_nobody(tmp_path, monkeypatch)
    os.chown(made.path, 0, 0)
    Paths(made).check()
    monkeypatch.setenv("SUDO_UID", str(pwd.getpwnam("nobody").pw_uid))

    with pytest.raises(UsageError, match="is deployed by nobody"):
        Paths(made).check()


@needs_root
@pytest.mark.parametrize("forged", ["another file", "root's", "a link", "a pipe", "endless", "no JSON", "gone"])
def test_root_deploys_as_always_where_the_user_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    made = deployed_by_nobody(tmp_path, monkeypatch)
    owner = tmp_path / "home/.local/state/zdd/shop/run/owner"
    text = owner.read_text()
    if forged == "root's":
        os.chown(owner, 0, 0)
    elif forged == "another file":
        owner.write_text(text.replace("deploy.toml", "other.toml"))
    elif forged == "no JSON":
        owner.write_bytes(b"\xff{")
    elif forged == "endless":
        os.truncate(owner, 1 << 40)
    else:
        owner.unlink()
    if forged == "a link":
        (tmp_path / "secret").write_text(text)
        owner.symlink_to(tmp_path / "secret")
    elif forged == "a pipe":
        os.mkfifo(owner)
    if forged in ("a link", "a pipe"):
        os.chown(owner, pwd.getpwnam("nobody").pw_uid, -1, follow_symlinks=False)

    Paths(made).check()


def test_a_user_is_refused_where_root_has_deployed_this_very_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config(tmp_path / "a", state_dir="", runtime_dir="")
    monkeypatch.setattr(claims, "claimed_by", lambda path, project, uid: "/run/zdd/shop" if uid == 0 else None)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)

    with pytest.raises(UsageError, match=r"is deployed by root .*, and you are nobody") as caught:
        Paths(made).check()

    assert f"`sudo zddeploy -c {made.path}`" in (caught.value.hint or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_another_user_is_refused_with_the_right_command(tmp_path: Path) -> None:
    made = config(tmp_path / "a")
    (tmp_path / "a/S").mkdir()
    os.chown(tmp_path / "a/S", 65534, -1)

    with pytest.raises(UsageError, match="belongs to nobody, and you are root") as caught:
        Paths(made).check()

    assert caught.value.hint == "run zddeploy as nobody: sudo -u nobody zddeploy"


def test_a_socket_path_that_would_be_too_long_is_refused(tmp_path: Path) -> None:
    made = config(tmp_path / "a", runtime_dir=f"{tmp_path}/{'x' * 90}")

    with pytest.raises(UsageError, match="bytes; the path of a UNIX socket may have 107") as caught:
        Paths(made).check()

    assert caught.value.hint is not None
    assert "runtime_dir" in caught.value.hint


def test_what_another_boot_left_is_not_believed(tmp_path: Path) -> None:
    made = config(tmp_path / "a")
    paths = Paths(made)
    paths.prepare()
    Path(paths.control, "web-1.json").touch()
    Path(paths.current).symlink_to("tables/1")
    owner = json.loads(Path(paths.owner).read_text())
    Path(paths.owner).write_text(json.dumps(owner | {"boot_id": "another"}))
    assert living.is_stale(paths)

    paths.prepare()

    assert not living.is_stale(paths)
    assert os.listdir(paths.control) == []
    assert not os.path.lexists(paths.current)


def test_an_ordinary_user_keeps_state_in_the_home_of_passwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(tmp_path / "a", state_dir="", runtime_dir="")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setenv("HOME", "/somewhere/else")

    assert Paths(made).state == "/nonexistent/.local/state/zdd/shop"
