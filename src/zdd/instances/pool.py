"""The instances of a project: those that are started, and those that run."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Sequence

from zdd.conf.schema import ClassicService, Config, RunService
from zdd.errors import DeployFailed, UsageError
from zdd.events import Events, Healthy, Notice
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances import environment, supervised
from zdd.instances.classic import record
from zdd.instances.classic.driver import ClassicInstance
from zdd.instances.health.verdict import Health
from zdd.instances.kept import Kept
from zdd.instances.state import InstanceState, observe, observe_one
from zdd.instances.supervised import AppInstance, ProxySide
from zdd.interrupts import Interrupts
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest

_AT_ONCE = 16  # instances that are probed at the same time
_LONG = 5.0  # seconds after which somebody who waits wants to know for what


class Instances:
    """Starts, proves, retires and counts instances, whatever their kind."""

    def __init__(
        self,
        config: Config,
        paths: Paths,
        commands: Commands,
        clock: Clock,
        events: Events,
        interrupts: Interrupts,
        proxy_side: Callable[[], ProxySide],
    ) -> None:
        self.config = config
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.events = events
        self.interrupts = interrupts
        self.proxy_side = proxy_side
        self._started: dict[str, AppInstance | ClassicInstance] = {}
        self._resolved: dict[str, RunService] = {}

    def require(self) -> None:
        """Raise UsageError, while nothing is touched yet, where what an app shall be given is not there."""
        for service in self.config.services.values():
            if isinstance(service, RunService):
                supervised.require(service)

    def start(self, target: Manifest, instance: Instance, folder: str, old: Sequence[str] = ()) -> None:
        """
        Start a new instance of the code in `folder`, without waiting for it.

        The app of a stop-first one is not started: `old` are the instances that must rest before.
        """
        driver = self._driver_of(instance.name, self.service(instance.service))
        self._started[instance.name] = driver
        if isinstance(driver, ClassicInstance):
            driver.launch()
        else:
            own = {
                "ZDD_PROJECT": self.config.project,
                "ZDD_SERVICE": instance.service,
                "ZDD_INSTANCE": instance.name,
                "ZDD_DEPLOY": str(target.deploy),
                "ZDD_RELEASE": instance.release or "",
                "ZDD_RELEASE_PATH": folder,
            }
            driver.launch(target.deploy, folder, self.proxy_side(), own, old if instance.stop_first else None)
        if len(self._started) % _AT_ONCE == 0:  # of many, the last are started after the first one's keeper gave up
            self._attach()

    def service(self, name: str) -> ClassicService | RunService:
        """
        Return the service, one with `run` together with the environment that its new instances are given.

        That is read once, when the first of them starts: after before_start, which may write env_file, and the same for
        all of them and for the deploy's record. Raises UsageError for an env_file that cannot be read.
        """
        service = self.config.services[name]
        if isinstance(service, ClassicService):
            return service
        if name not in self._resolved:
            self._resolved[name] = environment.resolve(service)
        return self._resolved[name]

    def rest(self, names: Sequence[str], at_most: float, way_back: bool) -> dict[str, int]:
        """
        Drain and stop the apps of these instances, but keep their places; returns how many connections each had cut.

        `at_most` are the seconds that draining may take, besides the service's `drain_timeout`; `way_back` says that
        they stay even without us, for they may have to serve again. Raises DeployFailed when one runs on.
        """
        self._care_for(names)
        found = [self._kept(name) for name in names]
        for kept in found:
            if why_not := kept.rest(at_most, way_back):
                raise DeployFailed(f"{kept.name} could not be stopped: {why_not}")
        cut = {kept.name: kept.await_rest(self.interrupts.check) for kept in found}
        if running := [name for name in names if self.look(name).state == "serving"]:
            raise DeployFailed(f"{', '.join(running)} could not be stopped")
        return cut

    def pause(self, name: str, seconds: float) -> None:
        """Have an instance's requests wait, at most this long. Raises UsageError when it does not serve."""
        if not self._kept(name).pause(seconds):
            state = self.look(name).state
            raise UsageError(f"{name} cannot pause: it is {state}", hint="`zddeploy status` tells more")

    def resume(self, name: str) -> bool:
        """Let them in; False when they had not to wait."""
        return self._kept(name).resume()

    def take_up(self, instances: Sequence[Instance]) -> None:
        """Start the apps of instances that are held or rest. Raises DeployFailed when one is gone."""
        names = [instance.name for instance in instances]
        self._care_for(names)
        for name in names:
            self._kept(name).await_rest(self.interrupts.check)
            if isinstance(driver := self._started.get(name), AppInstance):
                driver.forget_past()
            if not self._kept(name).start():
                raise _gone(name)

    def await_healthy(self, names: Sequence[str], until: float = math.inf) -> dict[str, int | None]:
        """
        Wait until all these instances are healthy, at most until then; returns their ports.

        The first one that fails ends the waiting for all of them, and what it raised is raised. Of stop-first ones that
        were started, the sockets are there when this returns.
        """
        self._attach()
        results: dict[str, Health] = {}
        failures: list[BaseException] = []
        told: set[str] = set()  # services of which it was said that they take long
        queue = list(names)

        def check() -> None:
            self.interrupts.check()
            if failures:
                raise DeployFailed("another instance failed")

        def work() -> None:
            while queue and not failures:
                try:
                    name = queue.pop(0)
                    results[name] = self._await_one(name, check, until, told)
                except IndexError:
                    return
                except BaseException as error:  # whatever it is, it belongs to the thread that waits for us
                    failures.append(error)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(names)) - 1)]
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return {name: health.port for name, health in results.items()}

    def check_ports(self, instances: Sequence[Instance]) -> None:
        """Raise DeployFailed where another user's program listens on an instance's port: clients would be led to it."""
        for instance in instances:
            status = self._kept(instance.name).status() if instance.kind == "tcp" else {}
            if stranger := status.get("stranger"):
                raise DeployFailed(f"{instance.service}: {stranger}", hint="end it; `ss -ltnp` shows who listens where")

    def long_lived(self, name: str) -> int:
        """Return how many connections to an instance have been open for so long that they may never end."""
        return int(self._kept(name).status().get("long_lived", 0))

    def discard(self, instance: Instance, workers: list[Process] | None) -> None:
        """
        Undo a start: stop the instance and leave nothing of it.

        `workers` are those of nginx's that may still send it something and are drained first; None when it never got
        a request of anybody's.
        """
        if instance.kind == "classic":
            if known := self._classic(instance.name):
                for worker in workers or ():
                    worker.wait(known.service.drain_timeout)
                known.discard()
        elif workers is None:
            self._kept(instance.name).stop()
        else:
            self._kept(instance.name).retire(0.0, workers)

    def running(self) -> dict[str, InstanceState]:
        """Return every instance that has left a trace, by name."""
        return observe(self.paths)

    def look(self, name: str) -> InstanceState:
        """Return one instance as it is now."""
        return observe_one(self.paths, name)

    def revive(self, instance: Instance) -> None:
        """Have an instance that was kept warm serve again. Raises DeployFailed when it has begun to drain."""
        if not self._kept(instance.name).unretire():
            raise DeployFailed(f"{instance.name} is no longer kept warm", hint="run the same command again")
        self._started[instance.name] = self._driver_of(instance.name, self.config.services[instance.service])

    def rewarm(self, instance: Instance) -> None:
        """Undo a revival: keep the instance warm again."""
        service = self.config.services.get(instance.service)
        self._kept(instance.name).retire(service.keep_warm if isinstance(service, RunService) else 0.0, [])

    def ask_once(self, name: str) -> str | None:
        """Ask a running instance once whether it is well; returns what is wrong, None when nothing is known to be."""
        driver = self._driver_of(name, self.config.services[name.rpartition("-")[0]])
        return driver.ask_once() if isinstance(driver, AppInstance) else None

    def retire(self, running: InstanceState, warm: float, workers: list[Process]) -> None:
        """
        Let an instance go that nothing leads to any more: keep it warm, drain it, stop it; returns at once.

        `workers` are nginx's workers of before a reload, which may still send it something. What a classic service's
        stop command left alive is ended now, so that at most one such leftover exists.
        """
        if not running.classic:
            self._kept(running.name).retire(warm, workers)
        elif known := self._classic(running.name):
            if running.state == "serving":
                known.retire(workers, known.service.drain_timeout)
            else:
                known.finish()

    def await_gone(self, running: InstanceState, until: float) -> None:
        """Wait until a retired instance has ended; one that still drains at `until` is told to stop."""
        if running.classic:
            if known := self._classic(running.name):
                known.stop()
            return
        kept = self._kept(running.name)
        if not kept.await_gone(min(kept.longest_stop(), until - self.clock.now())):
            kept.stop()
        kept.finish()

    def adopt(self, services: Sequence[str]) -> None:
        """Write down classic instances that an earlier zdd, which kept no records, has left serving."""
        classic = [one for name in services if isinstance(one := self.config.services[name], ClassicService)]
        recorded = {running.service for running in self.running().values()} if classic else set()
        for service in classic:
            if service.name not in recorded:
                name = f"{service.name}-{self.last_numbers().get(service.name, 0) + 1}"
                instance = ClassicInstance(name, service, self.paths, self.commands, self.clock)
                if found := instance.unrecorded():
                    instance.adopt(*found)

    def last_numbers(self) -> dict[str, int]:
        """Return the highest instance number each service has used, as far as sockets, records and logs tell."""
        last: dict[str, int] = {}
        for folder in (self.paths.instances, self.paths.control, self.paths.logs):
            for entry in os.listdir(folder) if os.path.isdir(folder) else ():
                if match := re.fullmatch(r"(.+)-([0-9]+)(\.[a-z]+)?", entry):
                    last[match[1]] = max(last.get(match[1], 0), int(match[2]))
        return last

    def _care_for(self, names: Sequence[str]) -> None:
        """Have it noticed when we die in the middle of what is done to these instances."""
        for name in names:
            if self.look(name).state not in ("dead", "unkept"):
                service = self.config.services[name.rpartition("-")[0]]
                self._started.setdefault(name, self._driver_of(name, service))
        self._attach()

    def _attach(self) -> None:
        for driver in self._started.values():
            driver.attach(self.interrupts.check)

    def _await_one(self, name: str, check: Callable[[], None], until: float, told: set[str]) -> Health:
        driver, since = self._started[name], self.clock.now()
        service = driver.service.name

        def wonder() -> None:
            check()
            if self.clock.now() - since > _LONG and service not in told:
                told.add(service)
                seconds = min(driver.service.start_timeout, until - since)
                text = f"{name}: not healthy after {_LONG:g} s, and may take {seconds:.3g} s: {driver.met}"
                self.events.send(Notice(service=service, instance=name, text=text))

        health = driver.await_healthy(wonder, until)
        self.events.send(Healthy(service=service, instance=name, seconds=round(health.seconds, 3)))
        if health.notice:
            self.events.send(Notice(service=service, instance=name, text=f"{service}: {health.notice}"))
        return health

    def _driver_of(self, name: str, service: ClassicService | RunService) -> AppInstance | ClassicInstance:
        if isinstance(service, ClassicService):
            return ClassicInstance(name, service, self.paths, self.commands, self.clock)
        return AppInstance(name, self._kept(name).as_started(service), self.paths, self.commands, self.clock)

    def _classic(self, name: str) -> ClassicInstance | None:
        """Return a classic instance as it was started; None when nothing is known of it."""
        known = record.read(self.paths.control, name)
        if known is None:
            return None
        return ClassicInstance(name, known.service, self.paths, self.commands, self.clock)

    def _kept(self, name: str) -> Kept:
        return Kept(name, self.paths, self.clock)


def _gone(name: str) -> DeployFailed:
    return DeployFailed(f"{name} is gone and cannot be started again", hint="`zddeploy restart` starts another")
