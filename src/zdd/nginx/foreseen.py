"""What a deploy of a configuration would do to nginx, as far as that is known before it starts."""

from __future__ import annotations

from zdd.conf.schema import Config
from zdd.conf.services import StaticService
from zdd.instances.name import name_of
from zdd.routing.manifest import Instance, Manifest, StaticFolder


def table(config: Config) -> Manifest | None:
    """Return a table with the same slots as the next deploy's; None if it has ports, which nobody knows before."""
    services = [service for service in config.services.values() if not isinstance(service, StaticService)]
    if any(service.kind in ("tcp", "classic") for service in services):
        return None
    names = [(name_of(service.name, number), service) for service in services for number in range(service.instances)]
    instances = {name: Instance(name, service.name, service.kind) for name, service in names}
    return Manifest(0, "deploy", instances, static={name: StaticFolder("", "") for name in config.static})


def lacks_ports(target: Manifest) -> bool:
    """Return whether ports of this table are not known yet: those of apps that have not told their keepers."""
    return any(at.kind in ("tcp", "classic") and at.port is None for at in target.instances.values())
