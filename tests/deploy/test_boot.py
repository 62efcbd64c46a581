from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.deploy import boot
from zdd.errors import UsageError

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
    found = texts(load(tmp_path))

    unit = found["/etc/systemd/system/zdd-shop.boot.service"]
    assert f"ExecStart=/opt/zdd/bin/zddeploy -c {tmp_path}/deploy.toml up\n" in unit
    assert "User=nobody\n" in unit
    assert "d /run/zdd/shop 0711 nobody" in found["/etc/tmpfiles.d/zdd-shop.conf"]
    assert "nobody ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx\n" in found["/etc/sudoers.d/zdd-shop"]


def test_roots_project_needs_the_unit_only(tmp_path: Path) -> None:
    assert list(texts(load(tmp_path), ROOT)) == ["/etc/systemd/system/zdd-shop.boot.service"]


@pytest.mark.parametrize(
    "reload",
    ["sudo bash -c id", "sudo systemctl reload -Hevil", "sudo nginx -c /tmp/x", "sudo systemctl reload nginx; sudo sh"],
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

    with pytest.raises(UsageError, match="cannot be written into a unit"):
        texts(load(folder))


def test_the_project_is_its_owners_unless_somebody_is_named(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert boot.user_of(config).pw_uid == os.geteuid()
    assert boot.user_of(config, "nobody") == USER
    with pytest.raises(UsageError, match="nosuchuser"):
        boot.user_of(config, "nosuchuser")
