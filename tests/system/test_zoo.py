"""Every recipe does what zdd promises: five deploys under load, none of the requests lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from zdd.load import Kind

from .project import THE_SECOND, Project, assert_nothing_lost
from .recipe import Recipe, laid_out, parametrize

DEPLOYS = 5
SECONDS = 10.0
KINDS = (Kind(weight=60), Kind("POST", "/echo", body=2000, weight=39), Kind(path="/slow"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc)


@pytest.fixture
def recipe(project: Project, name: str) -> Iterator[Recipe]:
    """A recipe, put into the project."""
    with laid_out(project, name) as made:
        yield made


def test_five_deploys_under_load_lose_nothing(project: Project, recipe: Recipe) -> None:
    project.zddeploy()
    with recipe.in_front(project), project.load(KINDS, rate=300, connections=32, record="X-Deploy") as load:
        until = time.monotonic() + SECONDS
        for _ in range(DEPLOYS):
            project.zddeploy()
        time.sleep(max(THE_SECOND, until - time.monotonic()))
        report = load.stop()

    print(f"{report.requests} requests, {dict(report.failed)} failed, {report.reconnects} reconnects")
    assert_nothing_lost(report)
    assert list(report.answered) == [str(deploy) for deploy in range(1, DEPLOYS + 2)]
    if recipe.way in ("fd", "unix"):
        assert report.reconnects == 0
