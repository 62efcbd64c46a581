"""
Every possible crash, one after the other: zddeploy is killed at each operation that changes something, then recovered,
then killed again at each operation of the recovery.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from zdd.deploy import recovery, requests
from zdd.deploy.deploy import carry_out
from zdd.deploy.plan import Request
from zdd.errors import DeployFailed, ZddError
from zdd.project import Project
from zdd.routing.manifest import Manifest

from .commands import deploy
from .full import Full, filesystem
from .world import Asleep, Killed, World, load

WEB = '[service.web]\nrun = "web"\n'
API = '[service.api]\nrun = "api"\nsocket = "tcp"\npath = "/api"\n'
JOBS = '[service.jobs]\nrun = "jobs"\nsocket = "none"\n'
UNIX = '[service.unix]\nrun = "unix {socket}"\nsocket = "unix"\npath = "/unix"\n'
THREE = '[service.web]\nrun = "web"\ninstances = 3\n'
STOP = '[service.web]\nrun = "web"\norder = "stop-first"\n'
STOP_JOBS = JOBS + 'order = "stop-first"\n'
COLD = '[service.web]\nrun = "web"\nkeep_warm = 0\n'

BUILT = '[release]\nsource = "."\n'
SITE = '[service.site]\nstatic = "dist"\npath = "/site"\n' + BUILT
AS_APP = '[service.site]\nrun = "site"\npath = "/site"\n' + BUILT

OLD = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "nginx.pid"\n'
TWO = '[service.old]\nstart = "a"\nstop = "b"\npid_file = "c"\n[service.web]\nrun = "web"\n'

Change = Callable[[World], object]


def new_version(world: World) -> object:
    return deploy(world.project(load(world.folder)), Request("deploy"))


def new_release(world: World) -> object:
    """Deploy a release of a name that none had before."""
    project = world.project(load(world.folder))
    used = [manifest.release for number in project.tables.numbers() if (manifest := project.tables.read(number))]
    number = max([0, *(int(release[-6:]) for release in used if release)]) + 1
    return deploy(project, Request("deploy", release=f"20261129-{number:06}"))


def only_web(world: World) -> object:
    return deploy(world.project(load(world.folder)), Request("deploy", ("web",)))


def back(world: World) -> object:
    project = world.project(load(world.folder))
    recovery.finish_interrupted(project)
    return carry_out(project, requests.rollback(project, None))


def again(world: World) -> object:
    project = world.project(load(world.folder))
    recovery.finish_interrupted(project)
    return carry_out(project, requests.restart(project, ()))


def failing(step: str, version: Change = new_version) -> Change:
    def change(world: World) -> object:
        world.failing = step
        try:
            return version(world)
        finally:
            world.failing = ""

    return change


def broken(service: str) -> Change:
    def change(world: World) -> object:
        world.broken = {service}
        try:
            return new_version(world)
        finally:
            world.broken = set()

    return change


# What is configured first, what then, and what is done to get there.
CASES: dict[str, tuple[str, str, Change]] = {
    "one service": (WEB, WEB, new_version),
    "one service, not kept warm": (COLD, COLD, new_version),
    "tcp": (API, API, new_version),
    "all kinds": (WEB + API + JOBS + UNIX, WEB + API + JOBS + UNIX, new_version),
    "one of several": (WEB + API, WEB + API, only_web),
    "a service more": (WEB, WEB + UNIX, new_version),
    "a service less": (WEB + UNIX, WEB, new_version),
    "a service renamed": (WEB + UNIX, WEB + API, new_version),
    "more instances": (WEB, THREE, new_version),
    "fewer instances": (THREE, WEB, new_version),
    "stop-first": (STOP, STOP, new_version),
    "stop-first beside others": (STOP + API + UNIX + STOP_JOBS, STOP + API + UNIX + STOP_JOBS, new_version),
    "stop-first, broken": (STOP + API, STOP + API, broken("web")),
    "stop-first, a broken worker": (STOP + STOP_JOBS, STOP + STOP_JOBS, broken("jobs")),
    "stop-first, unreachable through nginx": (STOP, STOP, failing("check")),
    "stop-first from now on": (WEB, STOP, new_version),
    "rollback": (WEB + UNIX, WEB + UNIX, back),
    "restart": (WEB + UNIX, WEB + UNIX, again),
    "restart, nothing is warm": (COLD, COLD, again),
    "classic beside an app": (OLD + TWO, OLD + TWO, new_version),
    "broken": (WEB + API, WEB + API, broken("api")),
    "nginx refuses": (WEB + API, WEB + API, failing("proxy")),
    "unreachable through nginx": (WEB + API, WEB + API, failing("check")),
    "more instances, unreachable": (WEB, THREE, failing("check")),
    "a static site alone": (SITE, SITE, new_release),
    "a static site beside others": (WEB + API + SITE, WEB + API + SITE, new_release),
    "a static site, unreachable through nginx": (WEB + SITE, WEB + SITE, failing("check", new_release)),
    "a static site, rolled back": (WEB + SITE, WEB + SITE, back),
    "a static site beside an app, restarted": (WEB + SITE, WEB + SITE, again),
    "a static site more": (WEB + BUILT, WEB + SITE, new_release),
    "a static site less": (WEB + SITE, WEB + BUILT, new_release),
    "an app becomes a static site": (WEB + AS_APP, WEB + SITE, new_release),
    "a static site becomes an app": (WEB + SITE, WEB + AS_APP, new_release),
}
FAILING = {
    change for name, (_, _, change) in CASES.items() if "broken" in name or "refuses" in name or "unreachable" in name
}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="zdd", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def points(request: pytest.FixtureRequest, name: str) -> Callable[[], Iterator[int]]:
    """Return the operations that fail: all; with --quick every fifth, beginning at another one in each case."""
    step = 5 if request.config.getoption("--quick") else 1
    return lambda: count(1 + zlib.crc32(name.encode()) % step, step)


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_and_again_in_the_recovery_something_healthy_serves(
    folder: Path, name: str, points: Callable[[], Iterator[int]]
) -> None:
    first, then, change = CASES[name]
    before = prepared(folder, first, then)
    crashes = 0
    for point in points():
        if (crashed := killed_in(before, change, point)) is None:
            break
        for again in points():
            if (twice := killed_in(crashed, recover, again)) is None:
                break
            settles(twice)
            crashes += 1
        settles(crashed)
        crashes += 1

    assert point > 8, "implausibly few operations: the walk does not walk"
    print(f"{name}: {crashes} crashes until operation {point}")


@pytest.mark.parametrize("name", CASES)
def test_undisturbed_it_ends_with_the_new_version_or_the_old_one(folder: Path, name: str) -> None:
    first, then, change = CASES[name]
    world = prepared(folder, first, then).awake()
    old = world.serving()

    with contextlib.suppress(DeployFailed):
        change(world)

    assert (world.serving() == old) == (change in FAILING)
    settles(world.asleep())


@pytest.mark.parametrize("what", ["inodes", "blocks"])
@pytest.mark.parametrize("name", CASES)
def test_wherever_space_runs_out_something_healthy_serves_and_with_room_all_is_in_order(
    folder: Path, name: str, what: str, points: Callable[[], Iterator[int]]
) -> None:
    first, then, change = CASES[name]
    before = prepared(folder, first, then)
    old = before.awake().serving()
    for point in points():
        full = Full(what, point - 1)
        world = before.awake()
        world.watch = lambda world=world: serves(world, waiting=True)  # type: ignore[misc]
        world.room = full.take
        code, said = 0, ""
        with filesystem(full):
            try:
                change(world)
            except ZddError as error:
                code, said = error.exit_code, str(error)
            serves(world)
        assert code in (0, 1, 2, 5)
        assert code not in (1, 2) or world.serving() == old
        assert code != 5 or "undoing it failed too: proxy: " in said, "only nginx's text needs space on the way back"
        if not full.refused:
            break
        assert code or committed_now(world), "who says done has committed"
        world.after_death()
        serves(world)
        settles(world.asleep())
    assert point > 3, "implausibly few things are made: the walk does not walk"


def committed_now(world: World) -> bool:
    current = world.project(load(world.folder)).tables.current()
    return current is not None and current.committed and current.deploy > 2


def test_a_deploy_that_goes_back_never_goes_forward_again(folder: Path) -> None:
    world = prepared(folder, WEB, WEB).awake()
    world.dies_before = "publish 2"  # the first step of the undo
    with pytest.raises(Killed):
        failing("check")(world)
    world.after_death()
    crashed = world.asleep()

    recovered = crashed.awake()
    recover(recovered)

    current = recovered.project(load(folder)).tables.current()
    assert current is not None
    assert current.deploy == 2


def test_an_instance_that_has_had_requests_outlives_a_zddeploy_killed_in_its_undo(folder: Path) -> None:
    world = prepared(folder, WEB, WEB).awake()
    world.dies_before = "discard web-3"
    with pytest.raises(Killed):
        failing("check")(world)

    world.after_death()

    assert "web-3" in world.instances


def test_what_serves_counts_as_exposed_while_another_version_is_tried(folder: Path) -> None:
    world = prepared(folder, WEB, WEB).awake()

    current = world.project(load(folder)).tables.current()

    assert current is not None
    assert current.exposed  # so its keeper does not end it, even if no slot leads to it for a moment


def recover(world: World) -> object:
    return recovery.finish_interrupted(world.project(load(world.folder)))


def prepared(folder: Path, first: str, then: str) -> Asleep:
    """Return a world with two deploys done, and with the configuration of the change in place."""
    world = World(folder)
    configure(folder, first)
    version = new_release if BUILT in first else new_version
    version(world)
    version(world)
    world.after_death()
    configure(folder, then)
    return world.asleep()


def configure(folder: Path, services: str) -> None:
    zdd = f'[zdd]\nproject = "shop"\nstate_dir = "{folder}/S"\nruntime_dir = "{folder}/R"\n'
    (folder / "deploy.toml").write_text(zdd + services)
    (folder / "nginx.conf.template").touch()


def killed_in(before: Asleep, change: Change, point: int) -> Asleep | None:
    """Kill zddeploy at this operation of the change; return None if the change has fewer operations."""
    world = before.awake()
    world.watch = lambda: serves(world, waiting=True)
    world.dies_at = point
    try:
        change(world)
    except DeployFailed:
        pass
    except Killed:
        world.after_death()
        serves(world)
        return world.asleep()
    serves(world)
    return None


def serves(world: World, waiting: bool = False) -> None:
    """
    Check the invariants of every moment: each instance that clients reach is healthy.

    While zddeploy lives, clients of a stop-first service may wait, but two versions of it never run at once.
    """
    services = load(world.folder).services
    for service, instances in world.serving().items():
        states = {name: state(world, name) for name in instances}
        allowed = {"serving", "warm"}
        if waiting and getattr(services.get(service), "order", "") == "stop-first":
            allowed |= {"held", "resting", "starting"}
        assert set(states.values()) <= allowed, f"{service} leads to {states}"
    for service, configured in services.items():
        if getattr(configured, "order", "") == "stop-first":
            running = [
                instance.name
                for instance in world.instances.values()
                if instance.service == service and instance.state in ("starting", "serving")
            ]
            assert len(running) <= 1, f"two versions of {service} run: {running}"


def state(world: World, name: str) -> str:
    """Return the state of an instance; that of a release is "serving" while its page is there."""
    if (world.folder / f"S/releases/{name}/dist/index.html").exists():
        return "serving"
    return world.instances[name].state if name in world.instances else "gone"


def settles(crashed: Asleep) -> None:
    """
    Check the invariants after a recovery: nothing is pending, at most one generation is warm, and that one serves a
    rollback; a second recovery changes nothing. There is a snapshot of what serves, and none of a failed deploy.
    """
    world = crashed.awake()
    recover(world)
    serves(world)
    project = world.project(load(world.folder))
    current = project.tables.current()
    assert current is not None
    assert current.committed
    assert project.tables.published() == str(current.deploy)
    for name in current.instances:
        assert world.instances[name].state == "serving", "the table names an instance that does not serve"
    leftover = [instance for instance in world.instances.values() if instance.name not in current.instances]
    assert all(instance.state == "warm" for instance in leftover)
    warm = {instance.name for instance in leftover}
    generations = [set(table.instances) for table in ways_back(project, current)]
    assert any(warm <= generation for generation in generations), "more than one generation is left"
    recorded = project.snapshots.headers().keys()
    assert current.deploy in recorded, "a committed deploy has no snapshot"
    assert recorded <= set(project.tables.numbers()), "a failed deploy has left a snapshot"
    once = world.asleep()
    recover(world)
    assert world.asleep() == once


def ways_back(project: Project, current: Manifest) -> list[Manifest]:
    """Return the table that was replaced, and after a restart that of the version before, where a rollback goes."""
    older = replaced = project.tables.before(current)
    while older and (older.origin or older.deploy) == (current.origin or current.deploy):
        older = project.tables.before(older)
    return [table for table in (replaced, older) if table]
