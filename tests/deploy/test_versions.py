"""A deploy of some services: what it starts, and what it leaves as it is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.conf.services import RunService
from zdd.deploy import versions
from zdd.deploy.plan import Request
from zdd.errors import UsageError

from .commands import deploy
from .world import World, load

TEMPLATE = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "nginx.pid"\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="zdd", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def configure(folder: Path, web: str, api: str, nginx: str = "") -> None:
    zdd = f'[zdd]\nproject = "shop"\nstate_dir = "{folder}/S"\nruntime_dir = "{folder}/R"\n'
    services = f'[service.web]\nrun = "web"\n{web}\n[service.api]\nrun = "api"\n{api}\n'
    (folder / "nginx.conf.template").touch()
    (folder / "deploy.toml").write_text(zdd + nginx + services)


def path_of(folder: Path, world: World, name: str, *named: str) -> str:
    """Return the path that nginx routes to a service after a deploy of the named services."""
    service = versions.project_of(world.project(load(folder)), Request("deploy", named)).config.services[name]
    assert isinstance(service, RunService)
    return service.path


def test_a_service_that_is_not_named_keeps_its_route(folder: Path) -> None:
    world = World(folder)
    configure(folder, 'path = "/"', 'path = "/api"')
    deploy(world.project(load(folder)), Request("deploy"))
    configure(folder, 'path = "/new"', 'path = "/v2"')

    assert path_of(folder, world, "api", "web") == "/api"
    assert path_of(folder, world, "web", "web") == "/new"
    assert path_of(folder, world, "api") == "/v2"


def test_services_that_change_routes_with_each_other_move_together(folder: Path) -> None:
    world = World(folder)
    configure(folder, 'path = "/"', 'path = "/api"')
    deploy(world.project(load(folder)), Request("deploy"))
    configure(folder, 'path = "/api"', 'path = "/"')

    with pytest.raises(UsageError, match="same route, /api") as refused:
        path_of(folder, world, "web", "web")

    assert refused.value.hint == "deploy both: `zddeploy deploy web api`"
    assert path_of(folder, world, "web", "web", "api") == "/api"


def test_where_a_template_routes_services_have_no_routes_of_their_own(folder: Path) -> None:
    world = World(folder)
    configure(folder, "", "", TEMPLATE)
    deploy(world.project(load(folder)), Request("deploy"))

    assert path_of(folder, world, "api", "web") == "/"
