"""What a deploy has started from is written down whole, read again as it was, and nobody else's to read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.conf.services import ClassicService, RunService
from zdd.instances import environment
from zdd.instances.environment import ResolvedService
from zdd.snapshot import Snapshot, Snapshots

EVERYTHING = """\
[zdd]
project = "shop"
after_switch = "true"
lock_timeout = "3s"
[nginx]
listen = ["127.0.0.1:8080"]
server_name = ["shop.test"]
[release]
source = "."
build = ["make"]
shared = ["uploads/"]
assets = ["static"]
keep_releases = 3
[service.web]
run = "web {fd}"
cwd = "code"
env = {MODE = "web"}
env_file = "secrets"
health_status = "200-299,404"
keep_warm = "5s"
[service.jobs]
run = "jobs"
socket = "none"
[service.site]
static = "dist"
spa = true
path = "/site"
"""
CLASSIC = (
    '[nginx]\ntemplate = "n.template"\npid_file = "n.pid"\n[service.web]\nstart = "a"\nstop = "b"\npid_file = "c"\n'
)


def load(folder: Path, text: str = EVERYTHING) -> Config:
    folder.mkdir(exist_ok=True)
    for name, content in (("secrets", "TOKEN=hunter2\n"), ("n.template", ""), ("deploy.toml", text)):
        (folder / name).write_text(content)
    return read.load(folder / "deploy.toml")


def taken(config: Config, deploy: int = 1, origin: int | None = None) -> Snapshot:
    services = {
        name: environment.resolve(one) if isinstance(one, RunService) else one for name, one in config.services.items()
    }
    return Snapshot(
        deploy=deploy,
        origin=origin or deploy,
        release=None,
        releases=dict.fromkeys(services),
        zdd=config.zdd,
        nginx=config.nginx,
        built=config.release,
        order=list(services),
        apps={name: one for name, one in services.items() if isinstance(one, ResolvedService)},
        classic={name: one for name, one in services.items() if isinstance(one, ClassicService)},
        static=config.static,
    )


def kept(folder: Path, project: Path) -> Snapshots:
    return Snapshots(str(folder / "deploys"), project)


@pytest.mark.parametrize("text", [EVERYTHING, CLASSIC], ids=["everything", "classic"])
def test_all_of_a_configuration_is_read_again_as_it_was(tmp_path: Path, text: str) -> None:
    config = load(tmp_path / "a", '[zdd]\nproject = "shop"\n' * (text == CLASSIC) + text)
    snapshots = kept(tmp_path, config.folder)
    snapshots.write(taken(config))

    found = snapshots.read(1)

    assert found == taken(config)
    then = found.config(config)
    assert list(then.services) == list(config.services)
    assert (then.zdd, then.nginx, then.release) == (config.zdd, config.nginx, config.release)


def test_an_app_starts_from_it_whatever_has_become_of_env_file_and_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    config = load(tmp_path / "a")
    snapshots = kept(tmp_path, config.folder)
    snapshots.write(taken(config))
    (config.folder / "secrets").unlink()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")

    found = snapshots.read(1)
    assert found
    env = environment.clean(found.apps["web"], {})

    assert (env["TOKEN"], env["MODE"], env["TZ"]) == ("hunter2", "web", "UTC")
    assert "VIRTUAL_ENV" not in env
    assert environment.given([found.apps["web"]])["TOKEN"] == "hunter2"


def test_a_few_times_are_always_todays(tmp_path: Path) -> None:
    then = taken(load(tmp_path / "a"))
    text = EVERYTHING.replace('"3s"', '"4s"').replace('"5s"', '"6s"').replace("= 3", "= 4").replace('"web"}', '"two"}')
    today = load(tmp_path / "a", text)

    found = then.config(today)

    web = found.services["web"]
    assert isinstance(web, RunService)
    assert (web.keep_warm, web.env["MODE"]) == (6.0, "web")
    assert found.zdd.lock_timeout == 4.0
    assert found.release
    assert found.release.keep_releases == 4


def test_paths_inside_the_project_move_with_it(tmp_path: Path) -> None:
    config = load(tmp_path / "a")
    kept(tmp_path, config.folder).write(taken(config))

    found = kept(tmp_path, tmp_path / "b").read(1)

    assert found
    assert found.apps["web"].cwd == tmp_path / "b/code"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_nobody_else_may_read_it(tmp_path: Path, umask: int) -> None:
    config = load(tmp_path / "a")
    before = os.umask(umask)
    try:
        kept(tmp_path, config.folder).write(taken(config))
    finally:
        os.umask(before)

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "deploys", tmp_path / "deploys/1.json"]
    }
    assert modes == {"deploys": 0o700, "1.json": 0o600}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"deploy": 1}', b"\xff".decode("latin-1"), "\0"])
def test_a_damaged_one_is_as_none(tmp_path: Path, text: str) -> None:
    config = load(tmp_path / "a")
    snapshots = kept(tmp_path, config.folder)
    snapshots.write(taken(config))
    (tmp_path / "deploys/1.json").write_text(text, encoding="latin-1")

    assert snapshots.read(1) is None
    assert snapshots.headers() == {}
    assert snapshots.read(2) is None


def test_one_of_a_later_zdd_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    config = load(tmp_path / "a")
    snapshots = kept(tmp_path, config.folder)
    snapshots.write(taken(config))
    path = tmp_path / "deploys/1.json"
    later = msgspec.json.decode(path.read_bytes())
    later["apps"]["web"]["canary_time"] = "5m"
    path.write_bytes(msgspec.json.encode(later | {"canary": True}))

    assert snapshots.read(1) == taken(config)


def test_what_is_not_kept_goes_half_written_ones_too(tmp_path: Path) -> None:
    config = load(tmp_path / "a")
    snapshots = kept(tmp_path, config.folder)
    for number in (1, 2, 10):
        snapshots.write(taken(config, number))
    (tmp_path / "deploys/11.json.4711.tmp").write_text("half")

    snapshots.prune({2, 10})

    assert sorted(os.listdir(tmp_path / "deploys")) == ["10.json", "2.json"]
    assert list(snapshots.headers()) == [2, 10]
    snapshots.remove(7)
