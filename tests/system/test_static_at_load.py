"""A static site that is deployed and rolled back while browsers ask: every answer is of one release, and right."""

from __future__ import annotations

import os
import shutil

import pytest

from zdd.load import Kind

from .project import APPS, DEPLOYS, LIGHT, PLAIN, Project, assert_only_reloads_cost, service
from .static_code import Site, ask
from .static_load import ABOUT, PAGES, Browser, Timeline, body_of, is_about_a_folder, packed

_EPOCH = 1_700_000_000  # the time of all files of a reproducible build


def write(site: Site, version: int) -> None:
    site.make(version)
    for page in PAGES:
        site.write(f"dist{page}{'index.html' if page == '/' else ''}", body_of(page, version).decode())
    about = f"dist{ABOUT}/index.html" if is_about_a_folder(version) else f"dist{ABOUT}.html"
    site.write(about, body_of(ABOUT, version).decode())
    site.write("dist/404.html", body_of("/404.html", version).decode())
    (site.folder / "dist/packed.css.gz").write_bytes(packed(version))
    for path in (site.folder / "dist").rglob("*"):
        os.utime(path, (_EPOCH, _EPOCH))


@pytest.mark.parametrize("spa", [False, True])
def test_no_answer_mixes_two_releases_and_no_304_is_wrong(project: Project, spa: bool) -> None:
    site = Site(project, spa=spa)
    write(site, 1)
    project.zddeploy()
    timeline = Timeline(1)
    browsers = [Browser(project, timeline, seed, spa) for seed in range(4)]
    for browser in browsers:
        browser.start()
    served = 1
    for number in range(2, DEPLOYS + 2):
        write(site, number)
        timeline.begin(number)
        project.zddeploy()
        timeline.end()
        if number % 3 == 0:
            timeline.begin(served)
            project.zddeploy("rollback")
            timeline.end()
        else:
            served = number
    for browser in browsers:
        browser.done.set()
    for browser in browsers:
        browser.join()

    assert [words for browser in browsers for words in browser.failures] == []
    assert [words for browser in browsers for words in browser.wrong] == []
    counts = {status: sum(browser.counts.get(status, 0) for browser in browsers) for status in (200, 206, 304)}
    assert all(counts.values()), counts


def test_an_app_that_becomes_a_site_and_an_app_again_loses_no_request(project: Project) -> None:
    """The slots of both are there while nginx changes its text."""
    shutil.copytree(APPS, project.folder / "code")
    app = service("site", **PLAIN)
    site = Site(project)
    site.write("VERSION", "1")
    static = (project.folder / "deploy.toml").read_text()
    as_app = static.partition("[service.site]")[0] + app
    project.write("deploy.toml", as_app)
    project.zddeploy()
    with project.load((Kind(),), **LIGHT) as load:
        for text in (static, as_app, static):
            project.write("deploy.toml", text)
            project.zddeploy()
        project.zddeploy("rollback")
        report = load.stop()

    assert_only_reloads_cost(report)
    assert "X-Release: 1" in project.get()
    project.zddeploy("rollback")
    assert ask(project).text == "<p>1"
