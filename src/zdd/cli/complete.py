"""Completion of services, instances and versions. It runs at each TAB, so it must be quick."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from zdd.conf.schema import Config

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _names(find: Callable[[Config], Iterable[str]]) -> Complete:
    """Return the completion of a parameter from the configuration; without a readable one it proposes nothing."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        from zdd.conf import read
        from zdd.errors import ZddError

        conf: Any = ctx.params.get("conf")
        try:
            names = list(find(read.load(read.find(Path(conf) if conf else None, Path.cwd()))))
        except (ZddError, OSError):
            return []
        return [name for name in names if name.startswith(incomplete)]

    return complete


def _instances(config: Config) -> Iterable[str]:
    from zdd.operate import logs
    from zdd.paths import Paths

    return (name for names in logs.find(Paths(config), config.services).values() for name in reversed(names))


def _versions(config: Config) -> Iterable[str]:
    """Return the deploys that were done, newest first, and their releases."""
    from zdd import history
    from zdd.paths import Paths

    done = [entry for entry in history.read(Paths(config).history) if entry.outcome == "done"]
    releases = dict.fromkeys(entry.release for entry in done if entry.release)
    return [*(str(entry.deploy) for entry in done), *releases]


services = _names(lambda config: config.services)
instances = _names(_instances)
versions = _names(_versions)
