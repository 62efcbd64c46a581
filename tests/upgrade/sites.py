"""What is deployed in these tests: one kind of project each, with code that is quick to start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tests.system import code
from tests.system.project import (
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    WORKER,
    Project,
    configure,
    leftovers,
    nginx_workers,
    service,
    version,
)
from tests.system.test_mixed import ROUTES, everything
from zdd.load import Kind

from .foreign_nginx import ForeignNginx

PYTHON = "/usr/bin/python3"  # one that every user may run
BOTH = {"web": "/", "api": "/api"}


class Site:
    """
    A project that is configured, not deployed yet.

    `routes` leads to each service that nginx reaches; `counts` says how many instances of each service serve.
    """

    def __init__(
        self,
        project: Project,
        routes: Mapping[str, str],
        counts: Mapping[str, int],
        commit: Callable[[int], object] | None = None,
        nginx: ForeignNginx | None = None,
    ) -> None:
        self.project = project
        self.routes = routes
        self.counts = counts
        self.nginx = nginx
        self._commit = commit or partial(version, project)

    def release(self, number: int) -> None:
        """Make another version of the code."""
        self._commit(number)

    def is_deployed(self) -> None:
        """The first deploy is over: what comes only then is done now."""
        if self.nginx:
            self.nginx.lead(dict(self.routes))

    def kinds(self) -> tuple[Kind, ...]:
        """The requests of a load."""
        return (*(Kind(path=path, weight=2) for path in self.routes.values()), Kind("POST", "/echo", body=2000))

    def answer(self, service: str) -> str:
        """What a visitor of the service is answered now, or why not."""
        try:
            return self.project.get(self.routes[service])
        except OSError as error:
            return repr(error)

    def workers(self) -> set[int]:
        """nginx's workers: others after each reload."""
        return self.nginx.pids() if self.nginx else nginx_workers(self.project)

    def left(self) -> list[str]:
        """What runs of the project, and what of it somebody could still meet."""
        pids = self.nginx.pids() if self.nginx else set()
        processes = [f"{pid} {title}" for pid, title in leftovers(self.project.folder) if pid not in pids]
        found = self.project.runtime.rglob("*")
        return processes + [str(path) for path in found if path.is_symlink() or path.is_socket()]

    def end(self) -> None:
        """Take it down; the nginx of somebody else has to end after it."""
        if self.nginx:
            self.project.zddeploy("down", code=None)
            self.nginx.stop()
        self.project.end()


def own_nginx(project: Project) -> Site:
    """Behind zdd's own nginx, services that are switched without a reload."""
    web = service("web", **PLAIN, health_path="/", instances=2)
    configure(project, web, service("api", **PLAIN_UNIX, health_path="/", path="/api"))
    return Site(project, BOTH, {"web": 2, "api": 1})


def every_address(project: Project) -> Site:
    """Behind zdd's own nginx on a bare port: the old program's is every address of IPv4."""
    configure(project, service("web", **PLAIN, health_path="/"))
    project.replace("deploy.toml", f'"127.0.0.1:{project.port}"', f'"{project.port}"')
    return Site(project, {"web": "/"}, {"web": 1})


def include(project: Project) -> Site:
    """The same behind an nginx that somebody else runs."""
    nginx = ForeignNginx(project)
    web = service("web", **PLAIN, health_path="/", instances=2)
    configure(project, web, service("api", **PLAIN_UNIX, health_path="/"))
    project.replace("deploy.toml", f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n', nginx.section)
    return Site(project, BOTH, {"web": 2, "api": 1}, nginx=nginx)


def other_user(project: Project) -> Site:
    """Apps that run as somebody else than who deploys them."""
    if os.geteuid() != 0 or not os.path.exists(PYTHON):
        pytest.skip(f"needs root, and {PYTHON} for other users to run")
    fd, unix = ({**keys, "run": keys["run"].replace("python", PYTHON)} for keys in (PLAIN, PLAIN_UNIX))
    web = service("web", **fd, health_path="/", user="www-data")
    configure(project, web, service("api", **unix, health_path="/", path="/api", user="nobody"))
    return Site(project, BOTH, {"web": 1, "api": 1})


def ports(project: Project) -> Site:
    """Only services that listen on a port: each switch is a reload."""
    web = service("web", **PLAIN_TCP, health_path="/")
    configure(project, web, service("api", **PLAIN_TCP, health_path="/", path="/api"))
    return Site(project, BOTH, {"web": 1, "api": 1})


def every_kind(project: Project) -> Site:
    """By descriptor, path and port, a worker and a classic one, behind the user's own template."""
    everything(project)
    return Site(project, ROUTES, {"web": 2, "api": 1, "chat": 1, "jobs": 1, "old": 1})


def releases(project: Project, **web: str) -> Site:
    """Built from git; old versions are kept warm, but for the worker's."""
    repository = code.configure(project, **web)
    api = service("api", **PLAIN_UNIX, health_path="/", path="/api", **web)
    with (project.folder / "deploy.toml").open("a") as file:
        file.write(api + service("jobs", **WORKER))
    return Site(project, BOTH, {"web": 1, "api": 1, "jobs": 1}, _committed(repository))


def cold_releases(project: Project) -> Site:
    """Built from git; nothing is kept warm."""
    return releases(project, keep_warm="0s")


def stop_first(project: Project) -> Site:
    """Built from git; two versions of web never run at once."""
    repository = code.configure(project, order="stop-first", hold_max="25s")
    return Site(project, {"web": "/"}, {"web": 1}, _committed(repository))


def _committed(repository: code.Code) -> Callable[[int], object]:
    """Make a version by a commit; the repository begins with the first one."""
    return lambda number: None if number == 1 else repository.commit(number)


SITES: dict[str, Callable[[Project], Site]] = {
    "own nginx": own_nginx,
    "every address": every_address,
    "include": include,
    "other user": other_user,
    "ports": ports,
    "every kind": every_kind,
    "releases": releases,
    "cold releases": cold_releases,
    "stop first": stop_first,
}

# Where an old version can be brought back; without [release], code in place has only what is kept warm.
WITH_A_WAY_BACK = [name for name in SITES if name not in ("every kind", "every address")]
