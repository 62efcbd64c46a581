"""The one choice of whose nginx stands before the services."""

from __future__ import annotations

from zdd.conf.schema import Config
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx.proxy import Proxy
from zdd.paths import Paths


def open_proxy(config: Config, paths: Paths, commands: Commands, clock: Clock) -> Proxy:
    """Return the nginx of a configuration: somebody else's that includes our file, or the one that zdd runs."""
    if config.nginx.include:
        from zdd.nginx.external import ExternalNginx  # here, because a project needs one of the two

        return ExternalNginx(config, paths, commands, clock)
    from zdd.nginx.managed import ManagedNginx

    return ManagedNginx(config, paths, commands, clock)
