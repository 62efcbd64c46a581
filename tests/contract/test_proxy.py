"""What every proxy does: the fake that the tests of deploy use, zdd's own nginx, and somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.deploy.world import FakeProxy, World, load
from tests.nginx.app import App, ask
from tests.nginx.house import House
from zdd.errors import DeployFailed
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx import external
from zdd.nginx.process import binary
from zdd.nginx.proxies import open_proxy
from zdd.nginx.proxy import Proxy
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest

NOT_NGINX = "nonsense {"
PORTS = {"web-1": 8001, "web-2": 8002}  # where nothing is real


class Case(Protocol):
    """A proxy, and the world that it is in: two instances on ports."""

    proxy: Proxy
    ports: dict[str, int]

    def reached(self) -> str:
        """Return the instance that answers a client."""

    def end_apps(self) -> None:
        """From now on the instances refuse connections."""

    def close(self) -> None: ...


class Fake:
    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.proxy: Proxy = FakeProxy(self.world)
        self.ports = PORTS

    def reached(self) -> str:
        (name,) = self.world.text["web"]
        return name.removeprefix("port of ")

    def end_apps(self) -> None:
        self.world.failing = "check"

    def close(self) -> None: ...


class Real:
    """An nginx of zdd's own, or one that is somebody else's and that zdd finds on a port of its own choice."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, is_ours: bool) -> None:
        self.house = House(binary.find(None, None, Commands()).path)
        self.apps = {name: self.house.app(name, tcp=True) for name in PORTS}
        self.ports = {name: port_of(app) for name, app in self.apps.items()}
        self.proxy: Proxy = self._ours() if is_ours else self._external(monkeypatch)
        paths = Paths(load(Path(self.house.folder)))
        paths.prepare()
        for deploy in (1, 2, 3):
            os.makedirs(f"{paths.tables}/{deploy}")

    def _ours(self) -> Proxy:
        listen, program = f"127.0.0.1:{self.house.port}", self.house.binary.path
        Path(self.house.folder, "deploy.toml").write_text(f"""
[zdd]
project = "shop"
state_dir = "S"
runtime_dir = "R"
[nginx]
listen = "{listen}"
binary = "{program}"
[service.web]
run = "app"
socket = "tcp"
""")
        config = load(Path(self.house.folder))
        return open_proxy(config, Paths(config), self.house.commands, Clock())

    def _external(self, monkeypatch: pytest.MonkeyPatch) -> Proxy:
        include = Path(self.house.folder, "upstreams.conf")
        include.write_text("upstream web { server 127.0.0.1:1; }\n")
        text = self.house.simple("").replace("http {", f"http {{\n    include {include};")
        self.house.nginx.apply(text.replace('return 200 "";', "proxy_pass http://web;"))
        monkeypatch.setattr(external, "_PORTS", ((self.house.port, False),))
        nginx = f"{self.house.binary.path} -p {self.house.folder} -c {self.house.conf_file}"
        more = 'socket = "tcp"\nhealth_host = "shop.test"'
        self.house.external(f"{nginx} -s reload", f"{nginx} -t -q", more=more)
        config = load(Path(self.house.folder))
        return open_proxy(config, Paths(config), self.house.commands, Clock())

    def reached(self) -> str:
        return ask(self.house.port).body.decode()

    def end_apps(self) -> None:
        for app in self.apps.values():
            app.close()

    def close(self) -> None:
        self.proxy.stop()
        self.house.end()


def port_of(app: App) -> int:
    return int(app.target.rpartition(":")[2])


@pytest.fixture(params=["fake", "managed", "external"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    made: Case = Fake(tmp_path) if request.param == "fake" else Real(monkeypatch, request.param == "managed")
    yield made
    made.close()


def table(case: Case, deploy: int, name: str) -> Manifest:
    return Manifest(deploy, "deploy", {name: Instance(name, "web", "tcp", port=case.ports[name])})


def applied(case: Case, deploy: int, name: str) -> str:
    """Bring the proxy to the table of an instance; returns the text."""
    text = case.proxy.text(table(case, deploy, name))
    case.proxy.apply(deploy, text)
    return text


def test_the_text_depends_on_the_table_alone(case: Case) -> None:
    first = case.proxy.text(table(case, 1, "web-1"))

    assert case.proxy.text(table(case, 2, "web-1")) == first
    assert case.proxy.text(table(case, 2, "web-2")) != first


def test_a_new_text_is_brought_to_nginx_and_the_same_one_is_nothing_to_do(case: Case) -> None:
    text = case.proxy.text(table(case, 1, "web-1"))
    ran_before = case.proxy.runs(text)

    said = case.proxy.apply(1, text)

    assert not ran_before
    assert said in ("started", "reloaded")
    assert case.proxy.runs(text)
    assert case.reached() == "web-1"
    assert case.proxy.apply(1, text) == "unchanged"


def test_restoring_brings_back_what_the_deploy_has_found_however_often_either_is_done(case: Case) -> None:
    first = applied(case, 1, "web-1")
    for _ in range(2):
        applied(case, 2, "web-2")
    assert case.reached() == "web-2"

    for _ in range(2):
        case.proxy.restore(2)

    assert case.proxy.runs(first)
    assert case.reached() == "web-1"


def test_there_is_nothing_to_restore_for_a_deploy_that_never_came_to_nginx(case: Case) -> None:
    text = applied(case, 1, "web-1")

    case.proxy.restore(3)

    assert case.proxy.runs(text)


def test_a_text_that_is_refused_changes_nothing(case: Case) -> None:
    text = applied(case, 1, "web-1")

    with pytest.raises(DeployFailed):
        case.proxy.apply(2, NOT_NGINX)

    assert case.proxy.runs(text)
    assert case.reached() == "web-1"
    case.proxy.restore(2)
    assert case.proxy.runs(text)


def test_the_gate_passes_what_is_reached_and_refuses_what_is_not(case: Case) -> None:
    applied(case, 1, "web-1")
    target = table(case, 1, "web-1")
    case.proxy.check(target, None)

    case.end_apps()

    with pytest.raises(DeployFailed):
        case.proxy.check(target, None)


def test_what_status_says_has_the_same_names_for_every_nginx(case: Case) -> None:
    applied(case, 1, "web-1")

    assert set(case.proxy.describe()) == {"pid", "version", "managed"}
    assert case.proxy.problem() is None
    assert case.proxy.first_unsearchable_folder() is None


def test_what_is_stopped_may_be_stopped_again(case: Case) -> None:
    applied(case, 1, "web-1")

    case.proxy.quit()
    case.proxy.stop()
    case.proxy.stop()
