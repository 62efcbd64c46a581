"""What every driver of an instance does: the one with a keeper, the one of classic services, and the walk's fake."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.world import FakeDrivers, World, load
from tests.keeper.instance import PATIENCE
from tests.waiting import eventually
from zdd.host import process, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.classic.driver import ClassicInstance
from zdd.instances.driver import Driver, Launch, ProxySide
from zdd.instances.drivers import Drivers
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.supervised import SupervisedInstance
from zdd.paths import Paths

TESTS = Path(__file__).parents[1]
CONFIG = """
[zdd]
project = "shop"
state_dir = "{folder}/S"
runtime_dir = "{folder}/R"
[nginx]
template = "nginx.conf.template"
pid_file = "nginx.pid"
[service.web]
run = '{app}'
env = {{ HERE = "{folder}" }}
start_timeout = 20
[service.broken]
run = "sh -c 'exit 3'"
[service.classic]
start = "{classic}"
stop = "kill"
pid_file = "classic.pid"
[service.broken-classic]
start = "false"
stop = "kill"
pid_file = "broken.pid"
"""

Kind = tuple[str, str]
SUPERVISED, CLASSIC, FAKE, FAKE_CLASSIC = ("real", "web"), ("real", "classic"), ("fake", "web"), ("fake", "classic")
ALL = pytest.mark.parametrize("kind", [SUPERVISED, CLASSIC, FAKE, FAKE_CLASSIC], ids="-".join)
WITH_KEEPER = pytest.mark.parametrize("kind", [SUPERVISED, FAKE], ids="-".join)


class House:
    """A project whose instances are real, or those of the walk's world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = {"app": program("keeper/app.py"), "classic": program("system/classic_web.py", "classic", "-D")}
        (folder / "deploy.toml").write_text(CONFIG.format(folder=folder, **programs))
        (folder / "nginx.conf.template").touch()
        (folder / "VERSION").write_text("1")
        self.config = load(folder)
        self.paths = Paths(self.config)
        self.paths.prepare()
        self.world = World(folder, broken={"broken", "broken-classic"})
        self.made: list[Driver] = []

    def drivers(self, which: str) -> Drivers:
        if which == "fake":
            return FakeDrivers(self.world, self.config)
        return Drivers(self.config, self.paths, Commands(), Clock())

    def launch(self, kind: Kind, service: str = "", predecessors: list[str] | None = None) -> Driver:
        """Start an instance, and attach to it."""
        which, usual = kind
        name = service or usual
        driver = self.drivers(which).new(f"{name}-1", self.config.services[name])
        self.made.append(driver)
        driver.launch(Launch(1, None, str(self.folder), lambda: ProxySide([], ""), predecessors))
        driver.attach(proceed)
        return driver

    def serving(self, kind: Kind) -> Driver:
        """Start an instance, and wait until it is healthy."""
        driver = self.launch(kind)
        driver.await_healthy(proceed)
        return driver


@pytest.fixture
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="zdd", dir="/tmp"))
    made = House(folder)
    yield made
    for driver in made.made:
        driver.discard(None)
        assert driver.await_discarded(60)
        if isinstance(driver, SupervisedInstance) and driver.lease:
            driver.lease.close()
        elif isinstance(driver, ClassicInstance) and driver.started:
            while driver.started.status() is None:
                time.sleep(0.01)
    shutil.rmtree(folder)


def proceed() -> None:
    """Interrupt nothing."""


def program(path: str, *arguments: str) -> str:
    return " ".join([sys.executable, "-I", "-S", str(TESTS / path), *arguments])


@ALL
def test_a_healthy_instance_serves_and_its_port_is_known(house: House, kind: Kind) -> None:
    driver = house.launch(kind)

    health = driver.await_healthy(proceed)

    state = driver.state()
    assert (state.name, state.service, state.state) == (driver.name, driver.service.name, "serving")
    assert state.classic == (health.port is not None) == (driver.service.kind == "classic")
    assert driver.ask_once() is None
    assert driver.others_on_port() == (None, None)
    assert driver.long_lived() == 0


@ALL
def test_one_that_ends_before_it_is_healthy_has_failed(house: House, kind: Kind) -> None:
    which, service = kind
    broken = "broken-classic" if service == "classic" else "broken"

    with pytest.raises(InstanceFailed, match=f"{broken}: .*"):
        house.launch((which, broken)).await_healthy(proceed)


@ALL
def test_a_wait_can_be_interrupted(house: House, kind: Kind) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    driver = house.launch(kind, predecessors=[] if kind in (SUPERVISED, FAKE) else None)

    with pytest.raises(KeyboardInterrupt):
        driver.await_healthy(interrupt)


@ALL
def test_a_discarded_instance_leaves_nothing_also_when_it_is_discarded_again(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    driver.discard(None)
    driver.discard([])

    assert driver.await_discarded(60)
    assert driver.state().state == "dead"
    assert driver.name not in house.drivers(kind[0]).states()


@ALL
def test_a_retired_instance_is_gone_once_that_was_awaited(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    driver.retire(0.0, [])
    driver.await_gone(time.monotonic() + PATIENCE)
    driver.await_gone(time.monotonic())

    assert driver.state().state == "dead"
    assert driver.name not in house.drivers(kind[0]).states()


@ALL
def test_another_command_knows_it_by_its_name_though_its_service_has_left_the_configuration(
    house: House, kind: Kind
) -> None:
    name = house.serving(kind).name
    house.config.services.clear()

    driver = house.drivers(kind[0]).of(name)

    assert driver.state() == house.drivers(kind[0]).states()[name]
    assert driver.state().state == "serving"
    driver.retire(0.0, [])
    driver.await_gone(time.monotonic() + PATIENCE)
    assert driver.state().state == "dead"


def test_a_classic_command_runs_in_its_unit_before_anything_else_is_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.folder / "systemd-run").symlink_to("/bin/bash")
    path = {"PATH": f"{house.folder}:{os.environ['PATH']}"}
    asks = "sleep 0.3; exec "  # the system's manager for the unit
    monkeypatch.setattr(
        systemd, "in_scope", lambda unit, argv: (["systemd-run", "-c", asks + shlex.join(argv), unit.name], path)
    )

    title, looks = process.title, itertools.count()
    monkeypatch.setattr(process, "title", lambda pid: title(pid) if next(looks) else "")  # as during exec(2)

    driver = house.launch(CLASSIC)

    assert isinstance(driver, ClassicInstance)
    assert driver.started
    assert "classic_web.py" in process.title(driver.started.process.pid)
    assert "systemd-run" not in process.title(driver.started.process.pid)


@WITH_KEEPER
def test_a_warm_instance_can_be_revived(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    driver.retire(60.0, [])
    eventually(lambda: driver.state().state == "warm")

    assert driver.revive()
    assert driver.state().state == "serving"


@ALL
def test_one_that_is_gone_cannot_be_revived_or_started_again(house: House, kind: Kind) -> None:
    driver = house.serving(kind)
    driver.discard(None)
    assert driver.await_discarded(60)

    assert not driver.revive()
    assert not driver.unpark()


@WITH_KEEPER
def test_a_parked_instance_runs_no_app_until_it_is_unparked(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    assert driver.park(5.0, fallback=True) is None
    assert driver.await_parked(proceed) == 0
    assert driver.state().state == "resting"

    assert driver.unpark()
    driver.await_healthy(proceed)
    assert driver.state().state == "serving"


@WITH_KEEPER
def test_the_app_of_a_successor_waits_until_it_is_unparked(house: House, kind: Kind) -> None:
    driver = house.launch(kind, predecessors=[])

    assert driver.state().state == "starting"
    assert driver.state().main is None

    assert driver.unpark()
    driver.await_healthy(proceed)
    assert driver.state().state == "serving"


@pytest.mark.parametrize("kind", [SUPERVISED], ids="-".join)
def test_requests_can_be_paused_and_resumed(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    assert driver.pause(20.0)
    assert driver.state().paused
    assert driver.resume()
    assert not driver.resume()


@pytest.mark.parametrize("kind", [CLASSIC], ids="-".join)
def test_what_only_a_keeper_can_do_is_refused(house: House, kind: Kind) -> None:
    driver = house.serving(kind)

    refused: list[Callable[[], object]] = [driver.resume, driver.revive, driver.unpark, lambda: driver.pause(1.0)]
    assert not any(refusal() for refusal in refused)
    assert driver.park(1.0, fallback=False)
    assert driver.state().state == "serving"
