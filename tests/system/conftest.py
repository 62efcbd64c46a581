from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zdd.nginx.process.binary import packaged

from . import foreign_nginx
from .classic import ClassicProject
from .foreign_nginx import Foreign
from .project import Project, SampleProject


@pytest.fixture
def project() -> Iterator[Project]:
    """An empty project; when the test is over, nothing of it may be left."""
    made = Project()
    yield made
    made.end()


@pytest.fixture(params=["usual", pytest.param("1.31", marks=pytest.mark.matrix)])
def each_nginx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have the nginx of this machine, or a newer one in its place, whether zdd runs it or somebody else."""
    if request.param != "usual":
        program = packaged()
        assert program
        (tmp_path / "nginx").symlink_to(program)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(foreign_nginx, "NGINX", str(program))


@pytest.fixture
def foreign(project: Project) -> Iterator[Foreign]:
    """An nginx of somebody else's for that project; a test starts it."""
    made = Foreign(project)
    yield made
    made.stop()


@pytest.fixture
def classic() -> Iterator[ClassicProject]:
    """A project of classic services, not deployed yet."""
    made = ClassicProject()
    yield made
    made.end()


@pytest.fixture
def sample() -> Iterator[Callable[[str], SampleProject]]:
    """Makes projects from samples."""
    made: list[SampleProject] = []

    def make(name: str) -> SampleProject:
        made.append(SampleProject(name))
        return made[-1]

    yield make
    for project in made:
        project.end()
