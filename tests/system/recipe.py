"""A recipe of samples/recipes: a server and how zdd deploys it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.nginx.process import binary

from .container import IMAGE, Containers
from .project import BIN, SAMPLES, Project

RECIPES = SAMPLES / "recipes"
PROJECT, HOME = '[zdd]\nproject = "shop"\n', "/run/zdd/shop"  # as recipes have them that need to know
FRONTS: dict[str, list[str]] = {
    "Caddyfile": ["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", f"{BIN}/caddy", "run"],
    "haproxy.cfg": ["/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"],
}
FIRST = (  # those that run without --all; the first one in `./dev test`, too
    "gunicorn-gthread",
    "gunicorn-sync",
    "gunicorn-uvicorn",
    "uvicorn",
    "uvicorn-workers",
    "hypercorn",
    "granian",
    "daphne",
)
NAMES = sorted(path.parent.name for path in RECIPES.glob("*/deploy.toml"))


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Try a test with each recipe, all but one of them in `./dev lab` only."""
    names = NAMES if metafunc.config.getoption("--all") else FIRST
    marks = [() if name == FIRST[0] else pytest.mark.matrix for name in names]
    metafunc.parametrize("name", [pytest.param(name, marks=mark) for name, mark in zip(names, marks, strict=True)])


class Recipe:
    """A folder with deploy.toml, whose head says what it is, what it needs and what to know of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = RECIPES / name
        self.text = (self.folder / "deploy.toml").read_text()
        self.way = tomllib.loads(self.text)["service"]["web"].get("socket", "fd")

    def obstacle(self) -> str | None:
        """Return why it cannot be run here, None when it can."""
        needs = re.search(r"(?m)^# needs: (.+)$", self.text)
        assert needs, f"{self.folder}/deploy.toml does not say what it needs"
        for need in needs[1].split(", "):
            if not is_met(need, self.folder):
                return f"needs {need}"
        return None

    def prepare(self, project: Project) -> None:
        """Have it as the project's own, with no other change than its ports, its places and no time kept warm."""
        shutil.copytree(self.folder, project.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        if (self.folder / "node_modules").exists():
            (project.folder / "node_modules").symlink_to(self.folder / "node_modules")
        behind = str(free_port())  # where nginx listens when something else is in front
        for name in ("deploy.toml", "Caddyfile", "haproxy.cfg"):
            if (self.folder / name).exists():
                text = (self.folder / name).read_text().replace("127.0.0.1:8080", f"127.0.0.1:{project.port}")
                text = text.replace("127.0.0.1:8081", f"127.0.0.1:{behind}").replace(HOME, str(project.runtime))
                project.write(name, text.replace(PROJECT, ""))
        text = (project.folder / "deploy.toml").read_text()
        text = text.replace("[service.web]\n", '[service.web]\nkeep_warm = "0s"\n')
        if self.way == "tcp":  # which costs a reload, and an nginx before 1.27.4 some requests
            text = text.replace("[nginx]\n", f'[nginx]\nbinary = "{binary.packaged()}"\n')
        project.write("deploy.toml", project.section() + text)

    @contextlib.contextmanager
    def in_front(self, project: Project) -> Iterator[None]:
        """Run what the recipe has before the slots instead of nginx, if anything."""
        command = next((words for name, words in FRONTS.items() if (self.folder / name).exists()), None)
        if command is None:
            yield
            return
        with (project.folder / "front.log").open("w") as log:
            front = subprocess.Popen(command, cwd=project.folder, stdout=log, stderr=log)
        try:
            eventually(lambda: front.poll() is None and _listens(project.port))
            yield
        finally:
            front.terminate()
            front.wait(30)


@contextlib.contextmanager
def laid_out(project: Project, name: str) -> Iterator[Recipe]:
    """Put a recipe into the project, or skip the test where it cannot be run; a container's image goes in the end."""
    recipe = Recipe(name)
    if obstacle := recipe.obstacle():
        pytest.skip(obstacle)
    recipe.prepare(project)
    if name != "podman":
        yield recipe
        return
    containers = Containers()
    try:
        if obstacle := containers.obstacle():
            pytest.skip(obstacle)
        project.replace("run.sh", "localhost/shop", IMAGE)
        env = f'CONTAINERS_CONF = "{containers.environment["CONTAINERS_CONF"]}"'
        project.replace("deploy.toml", "[service.web]\n", f"[service.web]\nenv = {{{env}}}\n")
        yield recipe
        project.zddeploy("down")
    finally:
        containers.end()


def is_met(need: str, folder: Path) -> bool:
    """Tell whether what one would type, such as `pip install gunicorn`, has been typed."""
    tool, *words = need.split()
    match tool:
        case "pip":
            return all(_distribution(name) for name in words[1:])
        case "npm":
            return (folder / ("node_modules" if words == ["install"] else ".next")).exists()
        case "apt":
            packages = subprocess.run(["dpkg", "-s", *words[1:]], capture_output=True, check=False)
            return packages.returncode == 0
    return shutil.which(tool, path=f"{BIN}:{os.environ['PATH']}:/usr/sbin") is not None


def _distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
