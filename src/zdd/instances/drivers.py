"""The instances of a project on this machine, and the one choice of which class drives an instance."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from zdd.conf.schema import Config
from zdd.conf.services import ClassicService, RunService, Service, classic
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.classic import record
from zdd.instances.driver import Driver
from zdd.instances.name import name_of, parts_of, service_of
from zdd.instances.state import InstanceState, names, observe
from zdd.instances.supervised import SupervisedInstance
from zdd.keeper import access
from zdd.paths import Paths

_ENDING = re.compile(r"\.[a-z]+$")


def _with_times(then: ClassicService, now: Service | None) -> ClassicService:
    """Return the service as it was started, with the times that are configured today."""
    if now is None:
        return then
    return replace(then, drain_timeout=now.drain_timeout, stop_timeout=now.stop_timeout)


class Drivers:
    """Makes the driver of an instance, and knows which instances there are."""

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.config = config
        self.paths = paths
        self.commands = commands
        self.clock = clock

    def new(self, name: str, service: Service) -> Driver:
        """Return the driver of an instance of this service."""
        if isinstance(service, ClassicService):
            from zdd.instances.classic.driver import ClassicInstance  # here, because few projects have such services

            return ClassicInstance(name, service, self.paths, self.commands, self.clock)
        app = service if isinstance(service, RunService) else RunService(name=service.name, run="")
        return SupervisedInstance(name, app, self.paths, self.commands, self.clock)

    def of(self, name: str) -> Driver:
        """Return the driver of an instance that was started before; its service may have left the configuration."""
        service = service_of(name)
        if known := record.read(self.paths.classic_record(name)):
            return self.new(name, _with_times(known.service, self.config.services.get(service)))
        configured = self.config.services.get(service)
        return self.new(name, configured if isinstance(configured, RunService) else RunService(name=service, run=""))

    def names(self) -> list[str]:
        """Return the names of all instances that have left a trace."""
        return names(self.paths)

    def states(self, chosen: Collection[str] | None = None) -> dict[str, InstanceState]:
        """Return every instance that has left a trace, or those `chosen`, by name."""
        return observe(self.paths, chosen=chosen)

    def closed(self, instances: Iterable[str], users: Sequence[int]) -> list[str]:
        """Return which of these supervised instances some of these users cannot connect to."""
        paths = self.paths
        shut = [name for name in instances if access.lacking(paths.instance(name), paths.socket(name), users)]
        return [name for name in shut if not paths.is_of_0_1(name)]

    def last_numbers(self) -> dict[str, int]:
        """Return the highest instance number each service has used, as far as sockets, records and logs show."""
        last: dict[str, int] = {}
        for folder in (self.paths.instances, self.paths.control, self.paths.logs):
            for entry in os.listdir(folder) if os.path.isdir(folder) else ():
                if parts := parts_of(_ENDING.sub("", entry)):
                    last[parts[0]] = max(last.get(parts[0], 0), parts[1])
        return last

    def adopt(self, names: Sequence[str]) -> None:
        """Write records of the classic instances that an earlier zdd, which kept none, has left serving."""
        services = classic({name: self.config.services[name] for name in names})
        recorded = {state.service for state in self.states().values()} if services else set()
        for service in services.values():
            if service.name not in recorded:
                name = name_of(service.name, self.last_numbers().get(service.name, 0) + 1)
                self.new(name, service).adopt()
