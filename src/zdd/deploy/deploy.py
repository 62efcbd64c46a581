"""The story of a deploy: lock, recover, plan, carry out, commit, and let the old instances go."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from collections.abc import Iterator

from zdd.deploy import pipeline, plan
from zdd.deploy.plan import Observed, Request
from zdd.deploy.recovery import recover, turn_back
from zdd.deploy.settle import settle
from zdd.deploy.site import Site
from zdd.errors import Locked
from zdd.host.lock import Busy, Lock
from zdd.instance.running import Running
from zdd.switch.manifest import Manifest


def deploy(site: Site, request: Request, warm: bool = True) -> tuple[Manifest, list[Running]]:
    """
    Bring the new version into service; returns its manifest and the old instances that are being let go.

    The caller holds the lock. Raises ZddError when it failed: then what served before serves.
    """
    finish_interrupted(site)
    site.fleet.adopt(request.services or tuple(site.config.services))
    before = site.tables.current()
    target = plan.manifest(site.config, observe(site), request, time.time())
    site.report.event("begin", deploy=target.deploy, action=request.action, project=site.config.project)
    pipeline.run(plan.before_commit(target, before), site, lambda: turn_back(site, target))
    return target, settle(site, warm)


def finish_interrupted(site: Site) -> Manifest | None:
    """Recover what was interrupted, and let go what it left."""
    recovered = recover(site)
    if recovered:
        outcome = "finished" if recovered.committed else "undone"
        site.report.event("notice", text=f"deploy {recovered.deploy} was interrupted; it is {outcome} now")
        settle(site)
    return recovered


def observe(site: Site) -> Observed:
    """Look at what is there, as far as a plan depends on it."""
    last = max([0, *site.tables.numbers(), *site.places.logged_deploys()])
    return Observed(site.tables.current(), last, site.fleet.last_numbers())


@contextlib.contextmanager
def changing(site: Site, command: str, timeout: float) -> Iterator[None]:
    """
    Make the folders, hold the lock and note signals, for as long as a changing command lasts.

    Raises Locked when somebody else changes this project for longer than `timeout` seconds.
    """
    site.places.prepare()
    lock = Lock(site.places.lock)
    try:
        lock.acquire({"who": _who(), "pid": os.getpid(), "command": command, "since": time.time()}, timeout)
    except Busy as busy:
        raise _locked(site, busy.holder) from None
    try:
        site.places.prepare()  # `down` may have removed them while we waited
        with site.interrupts.caught():
            yield
    finally:
        lock.release()


def _locked(site: Site, holder: dict[str, object]) -> Locked:
    since = holder.get("since")
    ago = f", for {time.time() - since:.0f} s" if isinstance(since, float) else ""
    return Locked(
        f"{site.config.project} is being changed by {holder.get('who', 'somebody')}: "
        f"`{holder.get('command', 'zddeploy')}`, pid {holder.get('pid', 'unknown')}{ago}",
        hint="wait for it, or have zddeploy wait: --lock-timeout 60s",
    )


def _who() -> str:
    """Return who runs this: also behind sudo, the person and not root."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
