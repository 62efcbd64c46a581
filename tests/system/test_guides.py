"""
Guides are followed: those for frameworks from the first line to the last, with nothing but what stands there.

The screens must be those of the page. Of other guides the parts that run anywhere are tried here.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from itertools import groupby

import pytest

from tests.waiting import eventually
from zdd.load import Kind

from ..pages import DOCS, Page
from .project import (
    BIN,
    LIGHT,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    template,
    version,
)
from .recipe import is_met
from .typist import GUIDES, Typist

NEXT = "The next version"  # the section that is done while there are visitors
VISITED = (Kind(path="/"),)
HOST = "shop.example.org"
NEEDS = {"node": "node", "jvm": "javac", "rails": "apt install ruby-rails ruby-sqlite3 puma"}
LISTEN = """
[nginx]
listen = "127.0.0.1:8080"
"""
RELEASE = f"""
[release]
source = "."
build = ["ln -s {BIN.parent} .venv"]
"""
WRONG = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunSQL("DROP TABLE what_is_not_there")]
"""
RENAMED = WRONG.replace('RunSQL("DROP TABLE what_is_not_there")', 'RenameField("order", "text", "words")')


def guide(name: str) -> Page:
    return Page(DOCS / f"guides/{name}.md")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", GUIDES if metafunc.config.getoption("--all") else GUIDES[:4])


def test_what_a_guide_says_is_so_and_its_next_version_costs_no_visitor_anything(project: Project, name: str) -> None:
    if not is_met(need := NEEDS.get(name, "git"), DOCS):
        pytest.skip(f"needs {need}")
    page, typist = guide(name), Typist(project, "shop", "deploy")
    visitors = project.load(VISITED, host=HOST, **LIGHT)

    try:
        for section, blocks in groupby(page.blocks, lambda block: block.section):
            with visitors if section == NEXT else nullcontext():
                for block in blocks:
                    typist.follow(block)
                report = visitors.stop() if section == NEXT else None
            if report and name == "jvm":  # a port costs a reload
                assert_only_reloads_cost(report)
            elif report:
                assert_nothing_lost(report)
                assert report.reconnects == 0
    finally:
        typist.type("zddeploy down")


def test_migrations_run_beside_the_old_version_or_while_nothing_runs_and_a_wrong_one_changes_nothing(
    project: Project,
) -> None:
    """As the guide to migrations says, with the project of that to Django, whose releases share one environment."""
    typist = Typist(project, "shop", "deploy")
    django = guide("django")
    for block in (*django.section("The project"), *django.section(NEXT)[:2]):
        typist.follow(block)
    beside, alone = guide("migrations").blocks
    together = re.sub(r"(?m)^(order|before_start|hold_max) = .*\n", "", alone.text)
    typist.write(beside._replace(text=beside.text + RELEASE + LISTEN + together))

    def deploy(change: str = "true") -> str:
        return typist.type(f"{change} && git add . && git commit --quiet --message next && zddeploy")

    try:
        assert "shop serves deploy 1" in deploy(
            "git init --quiet; echo __pycache__/ > .gitignore; set -a; . /home/deploy/shop.env;"
            "sed -i \"s/count/filter(text='').count/\" shop/views.py; python3 manage.py makemigrations shop"
        )
        with project.load(VISITED, host=HOST, **LIGHT, timeout=40) as visitors:
            wrong = typist.folder / "shop/migrations/0002_wrong.py"
            wrong.write_text(WRONG)
            refused = deploy()
            assert "no such table: what_is_not_there" in refused
            assert "deploy 1 still serves" in refused

            typist.write(alone._replace(text=f"{RELEASE}{LISTEN}{alone.text}"))
            wrong.rename(wrong.with_name("0002_words.py")).write_text(RENAMED)
            assert "shop serves deploy 3" in deploy(
                "sed -i s/text/words/ shop/models.py; sed -i 's/text/words/; s/second/third/' shop/views.py"
            )
            assert "the third version, 0 orders" in project.get(host=HOST)
            report = visitors.stop()
        assert_nothing_lost(report)
        assert report.reconnects == 0
    finally:
        typist.type("zddeploy down")


def test_websockets_stay_with_their_version_behind_an_nginx_that_has_the_lines_of_the_guide(project: Project) -> None:
    web, lines = guide("websockets").blocks
    maps, proxy = lines.text.split("\n\n")
    configure(project)
    (project.folder / ".venv").symlink_to(BIN.parent)
    (project.folder / "asgi.py").rename(project.folder / "main.py")
    template(project, f"location / {{ {proxy} proxy_pass http://web; }}", maps, "web")
    nginx = '[nginx]\ntemplate = "nginx.conf.template"\npid_file = "nginx.pid"\n'
    project.write("deploy.toml", project.section() + nginx + web.text.replace("/health", "/"))

    project.zddeploy()
    with project.load(websockets=4, websocket_interval=0.1, **LIGHT) as visitors:
        eventually(lambda: project.instances()["web-1"]["connections"] >= 4)
        version(project, 2)
        project.zddeploy()
        eventually(lambda: "version 2" in project.get())
        report = visitors.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
