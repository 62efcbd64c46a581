"""What every command that changes what serves has in common: the lock, the result, the watched drain."""

from __future__ import annotations

import time
from collections.abc import Callable

from zdd.checks import preflight
from zdd.deploy import differences, versions
from zdd.deploy.deploy import deploy, finish_interrupted
from zdd.deploy.plan import Request
from zdd.deploy.watch import watch
from zdd.errors import ZddError, last_words, told
from zdd.lock import changing
from zdd.operate import in_place
from zdd.project import Site

CUT = 4  # the exit code for: done, but with --strict-drain connections were cut


def change(
    site: Site,
    action: str,
    request: Callable[[], Request],
    lock_timeout: float | None,
    detach: bool = False,
    strict: bool = False,
) -> int:
    """
    Carry a request out and tell how it ended; returns the exit code.

    `request` is worked out once the lock is held and what was interrupted is finished, since it may depend on what
    serves. A deploy takes the configuration of today, so what that needs is looked at before.
    Raises ZddError, after telling of it, when it did not work out.
    """
    begun, before = time.monotonic(), None
    try:
        before = _serving(site)
        if action == "deploy":
            _require(site)
        with changing(site, f"zddeploy {action}", lock_timeout):
            if site.tables.unfinished():
                finish_interrupted(site)
            wanted = request()
            today, site = site, versions.site_of(site, wanted)
            if action != "deploy":
                _require(site)
            if text := differences.told(today, wanted):
                site.report.event("notice", text=text)
            target, replaced = deploy(site, wanted, warm=not strict)
        seconds = time.monotonic() - begun
    except Exception as error:
        failure = told(error)
        _tell_failure(site, failure, before)
        raise failure from failure.__cause__
    drained = None if detach else watch(site, replaced)
    cut = site.report.cut + (drained.cut if drained else 0)
    code = CUT if strict and cut else 0
    release = f", release {target.release}" if target.release else ""
    site.report.event(
        "result",
        outcome="done",
        cause=None,
        deploy=target.deploy,
        exit=code,
        seconds=round(seconds, 3),
        drained=drained.ended if drained else None,
        cut=cut,
        text=f"done in {seconds:.2f} s: {site.config.project} serves deploy {target.deploy}{release}",
    )
    return code


def _require(site: Site) -> None:
    """Raise UsageError, while nothing is touched yet, where something that is needed is not there."""
    site.front.require()
    site.fleet.require()
    preflight.check(site)
    for notice in preflight.notices(site):
        site.report.event("notice", text=notice.line)


def _serving(site: Site) -> int | None:
    current = site.tables.current()
    return current.deploy if current else None


def _tell_failure(site: Site, error: ZddError, before: int | None) -> None:
    number = before
    try:
        number = _serving(site)
        if error.exit_code == 1:
            error.aftermath = what_serves(site)
    except Exception as another:  # it must not take the place of what failed first
        site.report.event("notice", text=f"cannot tell what serves: {told(another).message}")
    committed = (number or 0) > (before or 0)  # what failed came after it
    outcome = "undone" if error.exit_code == 1 and not committed else "failed"
    output = {"output": lines} if (lines := last_words(error)) else {}
    site.report.event("result", outcome=outcome, cause=error.message, **output, deploy=number, exit=error.exit_code)


def what_serves(site: Site) -> str:
    """Return who serves although a change failed."""
    current = site.tables.current()
    if current:
        running = site.fleet.running()
        unwanted = in_place.loaded(site, current, running)
        down = [f"{name} is down" for name in current.instances if name not in running or running[name].is_broken]
        serves = "is still in force" if unwanted or down else "still serves"
        notes = unwanted or in_place.warning(site, current)
        return "; ".join([f"deploy {current.deploy} {serves}", *down, *notes])
    if any(running.state == "serving" for running in site.fleet.running().values()):
        return "what an earlier zdd has started still serves"
    return "nothing was served before, and nothing is now"
