from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.operate import boot, boot_unit

ROOT, USER = pwd.getpwuid(0), pwd.getpwnam("nobody")
PROGRAM = ["/opt/zdd/bin/zddeploy"]


def load(folder: Path, reload: str = "sudo systemctl reload nginx") -> Config:
    path = folder / "deploy.toml"
    path.write_text(
        f'[zdd]\nproject = "shop"\n[nginx]\ninclude = "up.conf"\nreload = "{reload}"\n'
        '[service.web]\nrun = "app {fd}"\n'
    )
    return read.load(path)


def texts(config: Config, user: pwd.struct_passwd = USER) -> dict[str, str]:
    return {piece.path: piece.text for piece in boot.pieces(config, user, PROGRAM)}


def test_a_users_project_needs_a_unit_a_folder_and_a_line_for_sudo(tmp_path: Path) -> None:
    files = texts(load(tmp_path))

    unit = files["/etc/systemd/system/zdd-shop.boot.service"]
    assert f"ExecStart=/opt/zdd/bin/zddeploy -c {tmp_path}/deploy.toml up\n" in unit
    assert "User=nobody\n" in unit
    assert "d /run/zdd/shop 0711 nobody" in files["/etc/tmpfiles.d/zdd-shop.conf"]
    assert "nobody ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx\n" in files["/etc/sudoers.d/zdd-shop"]


@pytest.mark.parametrize(
    ("nginx", "has_right"),
    [
        ('listen = "80"', True),
        ('listen = ["127.0.0.1:8080", "[::1]:443"]', True),
        ('listen = "8080"', False),
        ('include = "up.conf"\nreload = "x"', False),
        ('template = "nginx.template"', True),
        ('template = "high.template"', False),
    ],
)
def test_the_unit_of_a_user_whose_nginx_has_a_low_port_has_the_right_to_it(
    tmp_path: Path, nginx: str, has_right: bool
) -> None:
    for name, port in (("nginx", 80), ("high", 8080)):
        text = f"pid {{nginx_pid_filename}}; http {{ server {{ listen {port}; }} upstream web {{ {{web.servers}} }} }}"
        tmp_path.joinpath(f"{name}.template").write_text(text)
    tmp_path.joinpath("deploy.toml").write_text(f'[nginx]\n{nginx}\n[service.web]\nrun = "app"\n')
    config = read.load(tmp_path / "deploy.toml")

    units = [texts(config, user)[boot_unit.path(config.project)] for user in (USER, ROOT)]

    assert ["AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in unit for unit in units] == [has_right, False]


def test_roots_project_needs_the_unit_only(tmp_path: Path) -> None:
    assert list(texts(load(tmp_path), ROOT)) == ["/etc/systemd/system/zdd-shop.boot.service"]


@pytest.mark.parametrize(
    "reload",
    [
        "sudo systemctl reload ssh",
        "sudo systemctl try-reload-or-restart postgresql",
        "sudo service cron reload",
        "sudo systemctl reload nginx ssh",
        "sudo bash -c id",
        "sudo systemctl reload -Hevil",
        "sudo nginx -c /tmp/x",
        "sudo systemctl reload nginx; sudo sh",
    ],
)
def test_sudo_is_allowed_for_nothing_but_a_test_or_a_reload(tmp_path: Path, reload: str) -> None:
    config = load(tmp_path, reload)

    assert "/etc/sudoers.d/zdd-shop" not in texts(config)
    assert boot.refused(config)


def test_a_folder_with_blanks_and_percent_signs_is_one_word_to_systemd(tmp_path: Path) -> None:
    folder = tmp_path / "50% off $HOME"
    folder.mkdir()

    assert (
        f'-c "{tmp_path}/50%% off $$HOME/deploy.toml" up'
        in texts(load(folder))["/etc/systemd/system/zdd-shop.boot.service"]
    )


def test_a_line_break_in_a_path_does_not_get_into_a_unit(tmp_path: Path) -> None:
    folder = tmp_path / "a\nUser=root"
    folder.mkdir()

    with pytest.raises(UsageError, match="cannot be written into a systemd unit"):
        texts(load(folder))


def test_the_project_belongs_to_the_configurations_owner_unless_a_user_is_named(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert boot.user_of(config).pw_uid == os.geteuid()
    assert boot.user_of(config, "nobody") == USER
    with pytest.raises(UsageError, match="nosuchuser"):
        boot.user_of(config, "nosuchuser")


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the machine's folders by the test's own; return the project's runtime folder, which exists already."""
    for module, name in ((boot_unit, "FOLDER"), (boot, "_TMPFILES"), (boot, "_RUNTIME")):
        monkeypatch.setattr(module, name, str(tmp_path / name))
        (tmp_path / name).mkdir()
    folder = tmp_path / "_RUNTIME/shop"
    folder.mkdir()
    return folder


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@needs_root
@pytest.mark.parametrize("uid", [0, pwd.getpwnam("daemon").pw_uid, USER.pw_uid])
def test_a_claim_written_by_a_user_does_not_decide_whose_project_it_is(tmp_path: Path, taken: Path, uid: int) -> None:
    """Neither root, nor another user, nor whoever has written it."""
    config = load(tmp_path)
    os.chown(config.path, pwd.getpwnam("daemon").pw_uid, -1)
    (taken / "owner").write_text(json.dumps({"uid": uid, "conf": str(config.path)}))
    for path in (taken, taken / "owner"):
        os.chown(path, USER.pw_uid, -1)

    user = boot.user_of(config)

    assert user.pw_name == "daemon"  # whose configuration it is
    with pytest.raises(
        UsageError, match=f"{taken} belongs to nobody, but project shop would belong to daemon"
    ) as caught:
        boot.check_free(config, user)
    assert "--user nobody" in str(caught.value.hint)
    boot.check_free(config, USER)


@needs_root
def test_a_link_to_a_claim_of_root_is_not_trusted(tmp_path: Path, taken: Path) -> None:
    config = load(tmp_path)
    os.chown(config.path, USER.pw_uid, -1)
    note = tmp_path / "note"
    note.write_text(json.dumps({"uid": 0, "conf": str(config.path)}))
    (taken / "owner").symlink_to(note)
    os.chown(taken, USER.pw_uid, -1)

    assert boot.user_of(config) == USER


@needs_root
def test_a_project_that_root_has_deployed_belongs_to_root(tmp_path: Path, taken: Path) -> None:
    config = load(tmp_path)
    os.chown(config.path, USER.pw_uid, -1)
    (taken / "owner").write_text(json.dumps({"uid": 0, "conf": str(config.path)}))

    assert boot.user_of(config) == ROOT
    boot.check_free(config, ROOT)
    with pytest.raises(UsageError, match=f"{taken} belongs to root"):
        boot.check_free(config, USER)


@needs_root
def test_a_folder_that_root_has_made_ready_is_free(tmp_path: Path, taken: Path) -> None:
    config = load(tmp_path)

    boot.check_free(config, USER)
    taken.rmdir()
    boot.check_free(config, USER)
    taken.symlink_to("/etc")
    with pytest.raises(UsageError, match="belongs to root"):
        boot.check_free(config, USER)


def test_a_name_that_is_enabled_for_another_users_project_is_taken(tmp_path: Path, taken: Path) -> None:
    taken.rmdir()
    ours, theirs = tmp_path / "ours", tmp_path / "of another"
    ours.mkdir()
    theirs.mkdir()
    unit = boot.pieces(load(theirs), pwd.getpwnam("daemon"), PROGRAM)[0]
    Path(unit.path).write_text(unit.text)
    config = load(ours)

    for check in (boot.check_free, boot.check_unit):
        with pytest.raises(UsageError, match=r"project shop is enabled for .*/of another/deploy.toml of daemon"):
            check(config, USER)
    boot.check_free(config, pwd.getpwnam("daemon"))  # it has moved
    boot.check_free(load(theirs), USER)  # it has another user now


@needs_root
def test_a_file_that_runs_at_boot_and_that_others_can_change_is_warned_of(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o700)
    os.chmod(tmp_path, 0o755)
    config, program = load(folder), ["/usr/bin/env"]

    assert boot.changeable(config, ROOT, program) == []
    folder.chmod(0o777)
    conf = f"{folder}/deploy.toml runs as root at boot, but not only root can change {folder}"
    assert boot.changeable(config, ROOT, program) == [conf]
    os.chown(folder, USER.pw_uid, -1)
    folder.chmod(0o700)
    assert boot.changeable(config, ROOT, program) == [conf]
    assert boot.changeable(config, USER, program) == []
    assert boot.changeable(load(tmp_path), ROOT, [f"{folder}/zddeploy"])[0].endswith(f"can change {folder}")
