"""The one choice of whose nginx stands before the services."""

from __future__ import annotations

from zdd.conf.schema import Config
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx.proxy import Check, Proxy, proceed
from zdd.paths import Paths


def open_proxy(config: Config, paths: Paths, commands: Commands, clock: Clock, check: Check = proceed) -> Proxy:
    """
    Return the nginx of a configuration: somebody else's that includes our file, or the one that zdd runs.

    `check` is called while nginx's answers are waited for, and may raise.
    """
    if config.nginx.include:
        from zdd.nginx.external import ExternalNginx  # here, because a project needs one of the two

        return ExternalNginx(config, paths, commands, clock, check)
    from zdd.nginx.managed import ManagedNginx

    return ManagedNginx(config, paths, commands, clock, check)
