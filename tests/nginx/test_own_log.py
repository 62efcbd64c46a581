"""Whether zdd's own nginx logs requests: only where something rotates the log."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.host import systemd, unit_files
from zdd.nginx import own_log
from zdd.operate import rotation_timer
from zdd.paths import Paths

SITE = '[service.site]\nstatic = "dist"\n[release]\nsource = "code"\n'
WEB = '[service.web]\nrun = "app {fd}"\n'
APP = f'{WEB}path = "/app"\n'


@pytest.fixture(autouse=True)
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of units on a machine with systemd."""
    monkeypatch.setattr(systemd, "runs", lambda: True)
    monkeypatch.setattr(unit_files, "FOLDER", str(tmp_path / "units"))
    (tmp_path / "units/timers.target.wants").mkdir(parents=True)
    return tmp_path / "units"


def load(folder: Path, services: str = SITE, nginx: str = "") -> Config:
    folder.mkdir(exist_ok=True)
    path = folder / "deploy.toml"
    path.write_text(f'[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\n{nginx}\n{services}')
    return read.load(path)


def enable(config: Config, units: Path) -> Path:
    """What `enable` leaves; returns the link by which systemd starts the timer at boot."""
    for piece in rotation_timer.all_pieces(config, pwd.getpwuid(0), ["/opt/zddeploy"]):
        Path(piece.path).write_text(piece.text)
    link = units / "timers.target.wants/zdd-shop.logs.timer"
    link.symlink_to(units / "zdd-shop.logs.timer")
    return link


def path_of(config: Config) -> str | None:
    return own_log.path_of(config, Paths(config))


def told(config: Config) -> list[str]:
    return [finding.what for finding in own_log.notices(config, Paths(config))]


def test_without_keepers_there_is_a_log_as_long_as_the_timer_is_enabled(tmp_path: Path, units: Path) -> None:
    config = load(tmp_path / "50% of my $hop")
    assert path_of(config) is None

    link = enable(config, units)
    assert path_of(config) == f"{tmp_path}/50% of my $hop/S/logs/access/access.log"
    assert told(config) == []

    link.unlink()
    assert path_of(config) is None


def test_the_timer_of_another_project_of_the_name_rotates_nothing_here(tmp_path: Path, units: Path) -> None:
    enable(load(tmp_path / "theirs"), units)

    assert path_of(load(tmp_path / "ours")) is None
    assert path_of(load(tmp_path / "theirs")) is not None


def test_where_systemd_does_not_run_its_timer_rotates_nothing(
    tmp_path: Path, units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(tmp_path / "site")
    enable(config, units)
    monkeypatch.setattr(systemd, "runs", lambda: False)

    assert path_of(config) is None
    (finding,) = own_log.missing(config)
    assert "enable" not in f"{finding.what}{finding.fix}"


def test_apps_have_keepers_and_who_wants_no_log_or_has_an_nginx_of_their_own_has_none(tmp_path: Path) -> None:
    assert path_of(load(tmp_path, APP)) is not None
    assert path_of(load(tmp_path, SITE + APP)) is not None
    for config in (
        load(tmp_path, APP, "access_log = false"),
        load(tmp_path, WEB, 'include = "up.conf"\nreload = "true"'),
        load(tmp_path, '[service.job]\nrun = "job"\nsocket = "none"\n'),
    ):
        assert path_of(config) is None
        assert told(config) == []


def test_that_there_is_no_log_is_told_once(tmp_path: Path) -> None:
    config = load(tmp_path / "site")
    paths = Paths(config)
    (what,) = told(config)
    assert "only the timer that `enable` writes rotates the log" in what

    Path(paths.nginx).mkdir(parents=True)
    Path(paths.nginx_conf).write_text(f"http {{ access_log {paths.access_log} zdd; }}")  # until it was disabled
    assert told(config) == [what]
    Path(paths.nginx_conf).write_text("http { access_log off; }")
    assert told(config) == []
    assert [finding.what for finding in own_log.findings(config, paths, lambda: 0)] == [what]  # as `check` says
