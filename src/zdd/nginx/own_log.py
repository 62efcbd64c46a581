"""
The access log of zdd's own nginx: whether there is one, and what is wrong with it.

There is a log only where something rotates it, or it would grow until the disk is full: the keepers of apps, or the
timer that `enable` writes. So nginx's text depends on that timer, as on other facts of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from zdd.conf.schema import Config
from zdd.finding import Finding, warning
from zdd.host import files, systemd, unit_files
from zdd.nginx import users
from zdd.nginx.config.upstream import quoted
from zdd.paths import Paths

TIMER = "logs"  # the part of its units' names that says what it does


def path_of(config: Config, paths: Paths) -> str | None:
    """Return the path of the log, None if nginx logs no requests."""
    is_there = _is_wanted(config) and (config.apps or _has_timer(config))
    return paths.access_log if is_there else None


def needs_timer(config: Config) -> bool:
    """Return whether only a timer can rotate the log."""
    return _is_wanted(config) and not config.apps


def is_in(text: str, paths: Paths) -> bool:
    """Return whether a text of zdd's own logs requests."""
    return f"access_log {quoted(paths.access_log)} " in text


def notices(config: Config, paths: Paths) -> Iterator[Finding]:
    """Yield a notice that there is no log, unless the text in place has none either: then it was said before."""
    before = files.read(paths.nginx_conf)
    if before is None or is_in(before, paths):
        yield from missing(config)


def missing(config: Config) -> Iterator[Finding]:
    """Return the finding that there is no log because nothing rotates it."""
    if not needs_timer(config) or _has_timer(config):
        return
    cure, rotates = "set access_log = false in [nginx]", "nothing here"
    if systemd.runs():
        sudo = "" if os.geteuid() == 0 else "sudo "
        cure, rotates = f"once: `{sudo}zddeploy enable`; or {cure}", "only the timer that `enable` writes"
    yield warning(
        f"nginx logs no requests: without a service that has `run`, {rotates} rotates the log",
        "`zddeploy logs --access` shows nothing",
        cure,
    )


def findings(config: Config, paths: Paths, worker: Callable[[], int]) -> Iterator[Finding]:
    """Yield a finding if there is no log, or if nginx's user cannot open a new one by its name in the state folder."""
    yield from missing(config)
    if os.geteuid() != 0 or not path_of(config, paths):
        return
    if barred := users.first_unsearchable_folder(paths.state, [worker()]):
        folder, user = barred
        yield warning(
            f"{folder} is closed to {user}, nginx's user",
            "the access log is rotated by copying: a line that is written just then may be lost",
            f"let {user} search it, or set state_dir to a folder elsewhere",
        )


def _is_wanted(config: Config) -> bool:
    return config.nginx.owner is None and config.nginx.access_log is True and config.is_reached


def _has_timer(config: Config) -> bool:
    return unit_files.is_timer_for(config.project, TIMER, str(config.path))
