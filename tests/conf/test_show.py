"""A configuration as zdd understood it is one that says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from zdd.conf import show
from zdd.conf.read import load
from zdd.conf.schema import Config
from zdd.errors import UsageError

from . import test_read

SECRET = """\
[zdd]
before_start = "./migrate --password x1"
[release]
source = "https://x2@example.org/shop.git"
build = ["TOKEN=x3 make"]
[service.web]
run = "app"
env = { LOG_LEVEL = "info", API_KEY = "x4", "odd.name" = "y" }
env_file = "web.env"
"""


def text(config: Config) -> str:
    return "\n".join(show.toml(show.sections(config, {"project": config.project})))


def alike(config: Config) -> Config:
    """The configuration but for its path and its warnings."""
    return replace(config, path=Path("/"), warnings=[])


@pytest.mark.parametrize(("name", "source"), [("deploy.toml", test_read.FULL), ("deploy.conf", test_read.OLD.decode())])
def test_it_can_be_pasted_into_a_deploy_toml_and_means_the_same(tmp_path: Path, name: str, source: str) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "nginx.conf.template").touch()
    (tmp_path / "secrets.env").write_text("THREADS=8\nMORE=1\n")
    (folder / name).write_text(source)
    config = load(folder / name)

    (folder / "pasted.toml").write_text(text(config))

    assert alike(load(folder / "pasted.toml")) == alike(config)


def test_every_key_is_there_and_what_need_not_be_said_is_a_comment(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('[zdd]\nproject = "shop"\n[service.web]\nrun = "app"\ninstances = 2\n')

    shown = text(load(tmp_path / "deploy.toml")).splitlines()

    assert {'project = "shop"', 'run = "app"', "instances = 2"} == {
        line for line in shown if line and line[0] not in "#["
    }
    assert {'# drain_timeout = "30s"', '# client_max_body_size = "100M"', "# memory_max is not set"} < set(shown)


def test_secrets_are_hidden_wherever_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "deploy.toml").write_text(SECRET)
    (folder / "web.env").write_text("DB_PASSWORD=x5\nCACHE=redis://:x6@cache\nLOG_LEVEL=debug\n")

    shown = text(load(folder / "deploy.toml"))

    assert not [secret for secret in ("x1", "x2", "x3", "x4", "x5", "x6") if secret in shown]
    variables = shown.partition("[service.web.env]\n")[2].splitlines()
    assert variables == [
        '# DB_PASSWORD = "****"',
        '# CACHE = "redis://:****@cache"',
        'LOG_LEVEL = "info"',
        'API_KEY = "****"',
        '"odd.name" = "y"',
    ]


def test_an_env_file_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "deploy.toml").write_text(SECRET)

    with pytest.raises(UsageError, match=r"cannot read env_file .*web\.env"):
        text(load(folder / "deploy.toml"))
