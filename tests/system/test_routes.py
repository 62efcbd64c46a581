"""Hosts and paths that are routed, seen by visitors while new versions come: the right service, and nothing lost."""

from __future__ import annotations

from tests.waiting import eventually
from zdd.load import Kind

from .project import LIGHT, PLAIN, PLAIN_UNIX, Project, assert_nothing_lost, configure, service, version

SLASHLESS = (Kind(path="/api"), Kind(path="/api/x"), Kind("POST", "/api", body=500))


def test_a_path_without_its_last_slash_is_for_the_next_shorter_route_through_deploys(project: Project) -> None:
    configure(project, service("main", **PLAIN), service("api", **PLAIN_UNIX, path="/api/"))
    project.zddeploy()
    with project.load(SLASHLESS) as load:
        for number in range(2, 5):
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    for path, name in (("/api", "main"), ("/api/", "api")):
        eventually(lambda path=path, name=name: f"\r\n\r\n{name} 4" in project.get(path))  # type: ignore[misc]


def test_a_name_with_other_letters_is_served_as_browsers_ask_for_it(project: Project) -> None:
    configure(project, service("web", **PLAIN, host=["b\u00fccher.test", "*.b\u00fccher.test"], path="/\u00fcber"))
    project.zddeploy()
    with project.load((Kind(path="/%C3%BCber/uns"),), host="www.xn--bcher-kva.test", **LIGHT) as load:
        version(project, 2)
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert project.get("/", "xn--bcher-kva.test").startswith("HTTP/1.1 404")
