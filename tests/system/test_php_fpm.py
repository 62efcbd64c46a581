"""PHP-FPM, which speaks FastCGI: recognized, and served behind a foreign nginx by the lines of the guide."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator

import pytest

from tests.waiting import eventually
from zdd.load import Kind

from ..pages import DOCS, Page
from .foreign_nginx import Foreign
from .project import Project

PHP = "/usr/sbin/php-fpm8.2"
GUIDE = Page(DOCS / "guides/system-nginx.md").section("PHP-FPM")
KEYS, POOL, LOCATION = (block.text for block in GUIDE)
USERS = "user = www-data\ngroup = www-data\n" if os.geteuid() == 0 else ""

pytestmark = [pytest.mark.matrix, pytest.mark.zoo]


@pytest.fixture
def foreign(project: Project) -> Iterator[Foreign]:
    made = Foreign(project)
    made.start()
    yield made
    made.stop()


def configured(project: Project, foreign: Foreign, **replaced: str) -> None:
    """Have the guide's service, and its pool, whose listener is as the guide has it."""
    keys = KEYS[KEYS.index("[service.web]") :].replace("shop.example.org", "localhost")
    for old, new in replaced.items():
        keys = re.sub(rf"(?m)^{old} = .*\n", new, keys)
    project.write("deploy.toml", project.section() + foreign.section() + keys + 'keep_warm = "0s"\n')
    project.write("fpm.conf", POOL.replace("[www]\n", f"[www]\n{USERS}") + "listen.mode = 0666\n")
    version(project, 1)


def version(project: Project, number: int) -> None:
    project.write("index.php", f'<?php header("X-Release: {number}"); echo "php {number}";\n')


def answers(project: Project, text: str) -> bool:
    return text in project.get()


def lead(project: Project, foreign: Foreign) -> None:
    location = LOCATION.replace("/srv/shop/current/public", str(project.folder))
    project.write("site.conf", f"server {{ listen 127.0.0.1:{project.port}; server_name localhost; {location} }}\n")
    foreign.reload()


def test_it_is_served_by_the_lines_of_the_guide_across_deploys_and_a_crash(project: Project, foreign: Foreign) -> None:
    configured(project, foreign)
    project.zddeploy()
    lead(project, foreign)
    assert "php 1" in project.get()
    with project.load((Kind(),), rate=50, connections=8) as load:
        for number in (2, 3):
            version(project, number)
            assert project.events()[-1]["unproved"] == []
            eventually(functools.partial(answers, project, f"php {number}"))
        (app,) = project.serving().values()
        os.kill(app, 9)
        eventually(lambda: project.serving() and app not in project.serving().values())
        report = load.stop()

    assert report.total_failed == 0, report.failures[:5]
    assert "php 3" in project.get()
    assert project.status()["state"] == "serving"


def test_without_a_command_it_is_told_that_it_speaks_fastcgi(project: Project, foreign: Foreign) -> None:
    configured(project, foreign, health_command='start_timeout = "2s"\n')

    refused = project.zddeploy(code=1).stderr

    assert "GET /: the connection was closed without an answer" in refused
    assert "it speaks FastCGI, not HTTP: give it a health_command, and set include in [nginx]" in refused
