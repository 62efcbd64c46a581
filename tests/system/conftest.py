from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .classic import ClassicProject
from .foreign_nginx import Foreign
from .project import Project, SampleProject


@pytest.fixture
def project() -> Iterator[Project]:
    """An empty project; when the test is over, nothing of it may be left."""
    made = Project()
    yield made
    made.end()


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
