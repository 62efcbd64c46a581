"""The timer that rotates nginx's logs where no keeper does."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.operate import rotation_timer

USER = pwd.getpwnam("nobody")
PROGRAM = ["/opt/zdd/bin/zddeploy"]
SITE = '[service.site]\nstatic = "dist"\n[release]\nsource = "code"\n'
WEB = '[service.web]\nrun = "app {fd}"\n'
APP = f'{WEB}path = "/app"\n'


def load(folder: Path, services: str, nginx: str = "") -> Config:
    path = folder / "deploy.toml"
    path.write_text(f'[zdd]\nproject = "shop"\n[nginx]\n{nginx}\n{services}')
    return read.load(path)


def test_a_project_without_keepers_has_one(tmp_path: Path) -> None:
    service, timer = rotation_timer.pieces(load(tmp_path, SITE), USER, PROGRAM)

    assert service.path == "/etc/systemd/system/zdd-shop.logs.service"
    assert "User=nobody\n" in service.text
    assert f"\nExecStart=/opt/zdd/bin/zddeploy -c {tmp_path}/deploy.toml logs --rotate\n" in service.text
    assert "OnCalendar=minutely\n" in timer.text


def test_the_log_begins_with_the_timer_and_ends_before_it(tmp_path: Path) -> None:
    _, timer = rotation_timer.pieces(load(tmp_path, SITE), USER, PROGRAM)
    words = [argv[2:] for argv in timer.before_removal]

    assert timer.after[-1][2:] == ["start", "zdd-shop.logs.service"]
    assert words == [
        ["disable", "zdd-shop.logs.timer"],
        ["start", "zdd-shop.logs.service"],
        ["stop", "zdd-shop.logs.timer"],
    ]


@pytest.mark.parametrize(
    ("services", "nginx"),
    [
        (APP, ""),
        (SITE + APP, ""),
        (SITE, "access_log = false"),
        (WEB, 'include = "up.conf"\nreload = "true"'),
        ('[service.job]\nrun = "job"\nsocket = "none"\n', ""),
    ],
)
def test_others_have_none_but_what_was_left_can_be_removed(tmp_path: Path, services: str, nginx: str) -> None:
    config = load(tmp_path, services, nginx)

    assert rotation_timer.pieces(config, USER, PROGRAM) == []
    assert len(rotation_timer.all_pieces(config, USER, PROGRAM)) == 2
