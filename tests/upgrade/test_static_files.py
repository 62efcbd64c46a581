"""
Static sites whose nginx has a text from before the slot was resolved once for each request, and assets from before
files had times of their own: the next deploy changes both, and browsers notice nothing.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping

import pytest

from tests.system import code
from tests.system.project import Project, nginx_workers
from tests.system.static_code import Site, ask
from tests.system.static_load import Browser, Timeline
from tests.system.test_static_at_load import write
from tests.waiting import eventually

from .programs import NEW, OLD, Program

_STYLE = "public__static__app.css"


@pytest.fixture
def project() -> Iterator[Project]:
    made = Project()
    yield made
    made.end()


def test_a_text_that_follows_the_slot_for_each_file_is_replaced_by_one_reload(project: Project) -> None:
    site = Site(project)
    write(site, 1)
    project.zddeploy()
    older = put_older_text_in_place(project)
    timeline = Timeline(1)
    browsers = [Browser(project, timeline, seed) for seed in range(2)]
    for browser in browsers:
        browser.start()
    said = []
    for version in (2, 3):
        write(site, version)
        timeline.begin(version)
        said.append(project.zddeploy().stdout)
        timeline.end()
    for browser in browsers:
        browser.done.set()
    for browser in browsers:
        browser.join()

    assert [re.findall("nginx +(reloaded|unchanged)", text) for text in said] == [["reloaded"], ["unchanged"]]
    eventually(lambda: not older & nginx_workers(project))
    closed = "RemoteDisconnected|ConnectionResetError"  # an idle connection, by the reload
    assert [words for browser in browsers for words in browser.failures if not re.search(closed, words)] == []
    # What one old worker has closed, another one may accept that has not been told yet.
    assert all(len(browser.failures) <= len(older) for browser in browsers)
    assert [words for browser in browsers for words in browser.wrong] == []
    assert all(browser.counts.get(200) for browser in browsers)


def put_older_text_in_place(project: Project) -> set[int]:
    """Have nginx run a text without `$zdd_root`, by a reload of its own; returns its workers."""
    path = project.state / "nginx/nginx.conf"
    slot = f"{project.runtime}/current/site/static"
    text = re.sub(r'if \(\$zdd_root = ""\) \{[^}]*\}', "", path.read_text())
    text = text.replace('alias "$zdd_root/"', f"alias {slot}/").replace("from=$zdd_root", f"from={slot}")
    text = re.sub("map [^{]*zdd_resolved [^}]*}", "", text)
    assert "zdd_root" not in text
    path.write_text(text)
    before = nginx_workers(project)
    os.kill(int((project.runtime / "nginx.pid").read_text()), signal.SIGHUP)
    eventually(lambda: bool(workers := nginx_workers(project)) and not workers & before)
    return nginx_workers(project)


def test_assets_of_a_reproducible_build_are_told_apart_from_those_of_the_old_program(
    project: Project, programs: Mapping[str, Program]
) -> None:
    """The files of the old program's release have the time of the build; a new content gets another one."""
    build = 'build = ["touch -d @1700000000 public/static/*"]'
    repository = code.configure(project, release=f'assets = ["public/static"]\n{build}', keep_warm="0s")
    repository.commit(1, **{_STYLE: "1111", "public__static__same.css": "same"})
    assert programs[OLD].run(project, "deploy").code == 0
    known = ask(project, "/static/app.css")
    assert ask(project, "/static/app.css", If_None_Match=known.headers["etag"]).status == 304
    repository.commit(2, **{_STYLE: "2222"})

    assert programs[NEW].run(project, "deploy").code == 0

    for headers in ({"If_None_Match": known.headers["etag"]}, {"If_Modified_Since": known.headers["last-modified"]}):
        again = ask(project, "/static/app.css", **headers)
        assert (again.status, again.text) == (200, "2222")
    assert ask(project, "/static/same.css").text == "same"
    latest = ask(project, "/static/app.css").headers["etag"]
    repository.commit(3, **{_STYLE: "1111"})
    assert programs[NEW].run(project, "deploy").code == 0
    again = ask(project, "/static/app.css", If_None_Match=latest)
    assert (again.status, again.text) == (200, "1111")


def test_hidden_files_of_assets_that_the_old_program_sent_are_the_apps_again(
    project: Project, programs: Mapping[str, Program]
) -> None:
    repository = code.configure(project, release='assets = ["public/static"]', keep_warm="0s")
    repository.commit(1, **{_STYLE: "1", "public__static__.env": "secret"})
    assert programs[OLD].run(project, "deploy").code == 0
    assert ask(project, "/static/.env").text == "secret"
    repository.commit(2, **{_STYLE: "2"})

    assert programs[NEW].run(project, "deploy").code == 0

    assert ask(project, "/static/app.css").text == "2"
    assert ask(project, "/static/.env").headers["x-release"] == "2"
