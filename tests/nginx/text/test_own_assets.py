"""Assets at the URL path of a service: that is told, since the service answers there."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf import read
from zdd.nginx.config.mark import Mark
from zdd.nginx.process.binary import Binary
from zdd.nginx.text.own import OwnText
from zdd.paths import Paths

SITE = '[service.site]\nstatic = "dist"\npath = "/assets"\n'
APP = '[service.app]\nrun = "app {fd}"\npath = "/assets/"\nhost = "shop.test"\n'


def needless() -> Binary:
    raise AssertionError("no nginx is looked for")


def mark() -> Mark:
    return Mark("0123456789ab", "5" * 32, "7" * 32)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (SITE, "assets: nginx does not serve public/assets at /assets/, which is the path of site"),
        (APP, "assets: nginx does not serve public/assets at /assets/, which is the path of app"),
        (SITE.replace("assets", "assets/more"), None),
        (SITE.replace("assets", ""), None),
    ],
)
def test_assets_in_whose_place_a_service_answers_are_told(tmp_path: Path, service: str, expected: str | None) -> None:
    places = '[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[nginx]\naccess_log = false\n'
    release = '[release]\nsource = "code"\nassets = ["public/assets", "public/img"]\n'
    (tmp_path / "deploy.toml").write_text(f"{places}{release}{service}")
    config = read.load(tmp_path / "deploy.toml")

    found = [notice.what for notice in OwnText(config, Paths(config), needless, mark).notices()]

    assert found == ([expected] if expected else [])
