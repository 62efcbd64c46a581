"""A project's instances as a deploy needs them: many at a time, by name, with what is said of them."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from zdd.conf.services import RunService, Service
from zdd.errors import DeployFailed
from zdd.events import Events, Healthy, Notice
from zdd.host.process import Process, ended
from zdd.instances import environment
from zdd.instances.driver import Driver, Launch, ProxySide
from zdd.instances.drivers import Drivers
from zdd.instances.health import failure
from zdd.instances.state import ORPHANED, InstanceState
from zdd.interrupts import Interrupted, Interrupts
from zdd.routing.manifest import Instance, Manifest

if TYPE_CHECKING:
    from zdd.instances.discarded import Discarded

_AT_ONCE = 16  # instances that are probed at the same time
_TOLD = 0.05  # seconds for a keeper's word that its app has ended: nginx may have met the closed connection before
_LONG = 5.0  # seconds after which a waiting user is told the reason


class Instances:
    """Starts, proves, retires and counts instances, whatever their kind."""

    def __init__(
        self, drivers: Drivers, events: Events, interrupts: Interrupts, proxy_side: Callable[[], ProxySide]
    ) -> None:
        self.drivers = drivers
        self.config = drivers.config
        self.clock = drivers.clock
        self.events = events
        self.interrupts = interrupts
        self.proxy_side = functools.cache(proxy_side)  # once for a thousand that start together
        self._attached: dict[str, Driver] = {}
        self._fresh: list[Driver] = []  # those of them without a lease yet
        self._resolved: dict[str, Service] = {}

    @functools.cached_property
    def discarded(self) -> Discarded:
        """The instances whose start was undone."""
        from zdd.instances.discarded import Discarded  # here, because most deploys undo nothing

        return Discarded(self.clock, self.events)

    def require(self) -> None:
        """Raise UsageError, before anything is touched, where a service's user, group or env_file is not usable."""
        for service in self.config.apps.values():
            environment.identity_of(service)
            environment.clean(service, {})

    def start(self, target: Manifest, instance: Instance, folder: str, old: Sequence[str] = ()) -> None:
        """
        Start a new instance of the code in `folder`, without waiting for it.

        The app of a stop-first one is not started: `old` are the instances that must be parked before.
        """
        driver = self.drivers.new(instance.name, self.service(instance.service))
        self._attached[instance.name] = driver
        self._fresh.append(driver)
        predecessors = old if instance.stop_first else None
        driver.launch(Launch(target.deploy, instance.release, folder, self.proxy_side, predecessors))
        if len(self._fresh) == _AT_ONCE:  # starting many takes longer than a keeper waits for a lease
            self._attach()

    def service(self, name: str) -> Service:
        """
        Return the service, one with `run` together with the environment of its new instances.

        The environment is read once, when the first of them starts: after before_start, which may write env_file, and
        the same for all of them and for the deploy's record. Raises UsageError for an env_file that cannot be read.
        """
        if name not in self._resolved:
            service = self.config.services[name]
            self._resolved[name] = environment.resolve(service) if isinstance(service, RunService) else service
        return self._resolved[name]

    def of(self, name: str) -> Driver:
        """Return the driver of an instance, the one that is attached to it if there is one."""
        return self._attached.get(name) or self.drivers.of(name)

    def park(self, names: Sequence[str], at_most: float, fallback: bool) -> dict[str, int]:
        """
        Drain and stop the apps of these instances, but keep their places; return how many connections each had cut.

        Draining takes the service's `drain_timeout`, and `at_most` this long. A `fallback` stays even when this process
        dies, for it may have to serve again. Raises DeployFailed when an app cannot be stopped.
        """
        drivers = self._attach(names)
        for driver in drivers:
            if why_not := driver.park(at_most, fallback):
                raise DeployFailed(f"{driver.name} could not be stopped: {why_not}")
        cut = {driver.name: driver.await_parked(self.interrupts.check) for driver in drivers}
        for driver in drivers:
            if self.look(driver.name).state == ORPHANED:  # its keeper has died meanwhile, and its app runs on
                driver.park(at_most, fallback)
        if running := [name for name in names if self.look(name).state == "serving"]:
            raise DeployFailed(f"{', '.join(running)} could not be stopped")
        return cut

    def unpark(self, instances: Sequence[Instance]) -> None:
        """Start the apps of instances that are parked or held. Raises DeployFailed when one is gone."""
        for driver in self._attach([instance.name for instance in instances]):
            driver.await_parked(self.interrupts.check)
            if not driver.unpark():
                hint = "`zddeploy restart` starts another"
                raise DeployFailed(f"{driver.name} is gone and cannot be started again", hint=hint)

    def await_healthy(self, names: Sequence[str], until: float = math.inf) -> dict[str, int | None]:
        """
        Wait until all these instances are healthy, at most until then; return their ports.

        The first failure ends the wait for all of them and is raised. The sockets of stop-first instances that were
        started exist when this returns.
        """
        self._attach()
        ports: dict[str, int | None] = {}
        failures: list[BaseException] = []
        slow: set[str] = set()  # services of which it was said that they take long
        queue = iter(names)  # of all threads

        def check() -> None:
            self.interrupts.check()
            if failures:
                raise DeployFailed("another instance failed")

        def work() -> None:
            try:
                for name in queue:
                    check()
                    ports[name] = self._await_one(name, check, until, slow)
            except BaseException as error:  # the thread that called us raises it
                failures.append(error)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(names)) - 1)]
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return ports

    def check_ports(self, instances: Sequence[Instance]) -> None:
        """Raise DeployFailed where another user's program would get an instance's clients; tell of one of root's."""
        for instance in (each for each in instances if each.kind == "tcp"):
            other, of_root = self.of(instance.name).others_on_port()
            if other:
                raise DeployFailed(f"{instance.service}: {other}", hint=failure.END_IT)
            if of_root:
                self.events.notice(f"{instance.service}: {of_root}; that is right for a container's proxy alone")

    @contextlib.contextmanager
    def watched(self, instances: Sequence[Instance]) -> Iterator[None]:
        """Raise InstanceFailed, in a wait or where the context ends, if one has ended: a first request may do that."""

        def look() -> None:
            if any(self.of(instance.name).has_ended() for instance in instances):
                self._check_lives(instances)

        try:
            with self.interrupts.looking(self.clock.seldom(look)):  # a thousand take milliseconds
                yield
        except DeployFailed as error:
            if not isinstance(error, (failure.InstanceFailed, Interrupted)):  # nginx may have met the end of the app
                for _ in self.clock.poll(_TOLD / 5, self.clock.now() + _TOLD):
                    look()
            raise
        self._check_lives(instances)

    def _check_lives(self, instances: Sequence[Instance]) -> None:
        """Raise InstanceFailed for one that has ended since it was healthy: what it left behind may have answered."""
        for name, state in self.running([instance.name for instance in instances]).items():
            if state.exit or state.restarts or state.state not in ("serving", ORPHANED):
                message = f"{name} ended with {state.exit or state.state} right after it was healthy"
                log = self.drivers.paths.log(name)
                raise failure.failed(state.service, message, log, ended=int(state.exit != ended(0)))

    def discard(self, name: str, workers: Sequence[Process] | None) -> None:
        """Undo the start of an instance, without waiting for its end; see Driver.discard."""
        driver = self.of(name)
        driver.discard(workers)
        if workers is None or self.look(name).main:  # the app of one that was swapped back has ended
            self.discarded.add(driver)

    def running(self, names: Collection[str] | None = None) -> dict[str, InstanceState]:
        """Return every instance that has left a trace, or those of these names, by name."""
        return self.drivers.states(names)

    def look(self, name: str) -> InstanceState:
        """Return an instance's state now."""
        return self.of(name).state()

    def revive(self, instance: Instance) -> None:
        """Make a warm instance serve again. Raises DeployFailed when it has begun to drain."""
        driver = self.of(instance.name)
        if not driver.revive():
            raise DeployFailed(f"{instance.name} is no longer kept warm", hint="run the same command again")
        self._attached[instance.name] = driver
        self._fresh.append(driver)

    def rewarm(self, instance: Instance) -> None:
        """Undo a revival: keep the instance warm again."""
        service = self.config.services.get(instance.service)
        self.of(instance.name).retire(service.keep_warm if service else 0.0, [])

    def _attach(self, names: Sequence[str] = ()) -> list[Driver]:
        """
        Attach to what was started, and to these instances; return the drivers of these.

        The keepers of attached instances notice when this process dies.
        """
        for name in names:
            if name not in self._attached and self.look(name).state not in ("dead", ORPHANED):
                self._attached[name] = self.drivers.of(name)
                self._fresh.append(self._attached[name])
        while self._fresh:
            self._fresh[0].attach(self.interrupts.check)
            del self._fresh[0]
        return [self.of(name) for name in names]

    def _await_one(self, name: str, check: Callable[[], None], until: float, slow: set[str]) -> int | None:
        driver, since = self._attached[name], self.clock.now()
        service = driver.service.name

        def check_and_report() -> None:
            check()
            if self.clock.now() - since > _LONG and service not in slow:
                slow.add(service)
                seconds = min(driver.service.start_timeout, until - since)
                text = f"{name}: not healthy after {_LONG:g} s, and may take {seconds:.3g} s: {driver.problem()}"
                self.events.send(Notice(service=service, instance=name, text=text))

        health = driver.await_healthy(check_and_report, until)
        self.events.send(Healthy(service=service, instance=name, seconds=round(self.clock.now() - since, 3)))
        if health.notice:
            self.events.send(Notice(service=service, instance=name, text=f"{service}: {health.notice}"))
        return health.port
