"""A `current` that leads to a table that is gone: it is seen, and mended as far as can be."""

from __future__ import annotations

import json
import os
import shutil

from tests.waiting import eventually

from .project import PLAIN, Project, configure, service, version


def deployed_twice(project: Project, **keys: object) -> None:
    configure(project, service("web", **PLAIN, **keys))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()


def test_it_is_seen_by_status(project: Project) -> None:
    deployed_twice(project)
    shutil.rmtree(project.runtime / "tables/2")

    shown = project.zddeploy("status", code=1).stdout
    status = json.loads(project.zddeploy("status", "--json", code=1).stdout)

    assert status["state"] == "down"
    assert "shop: down" in shown
    assert "the routing table in force (2) is missing, so nothing serves: `zddeploy recover` repairs it" in shown


def test_the_version_before_serves_again_where_it_is_still_warm(project: Project) -> None:
    deployed_twice(project)
    shutil.rmtree(project.runtime / "tables/2")

    said = project.zddeploy("recover").stdout

    assert "deploy 1 serves again" in said
    assert "nothing was interrupted" not in said
    eventually(lambda: "X-Release: 1\r\n" in project.get())
    assert set(project.serving()) == {"web-1"}
    assert project.status()["problems"] == []
    version(project, 3)
    project.zddeploy()
    eventually(lambda: "X-Release: 3\r\n" in project.get())


def test_what_has_to_be_started_is_told_and_started(project: Project) -> None:
    deployed_twice(project, keep_warm="0s")
    eventually(lambda: not (project.runtime / "control/web-1.json").exists())
    shutil.rmtree(project.runtime / "tables/2")

    said = project.zddeploy("recover").stdout

    assert "web-1 must be started: `zddeploy restart`" in said
    assert "web: down, starting again now" in said
    eventually(lambda: "X-Release: 2\r\n" in project.get())
    assert project.status()["problems"] == []


def test_where_no_table_is_left_up_begins_anew(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    shutil.rmtree(project.runtime / "tables/1")
    project.zddeploy("status", code=1)

    said = project.zddeploy("up").stdout

    assert "`zddeploy up` or `zddeploy` starts afresh" in said
    eventually(lambda: "X-Release: 1\r\n" in project.get())
    assert set(project.serving()) == {"web-2"}
    assert project.status()["problems"] == []


def test_what_still_serves_without_a_manifest_is_left_alone(project: Project) -> None:
    """The slots of such a table lead to instances, and nobody can tell to which."""
    deployed_twice(project, keep_warm="0s")
    eventually(lambda: not (project.runtime / "control/web-1.json").exists())
    os.unlink(project.runtime / "tables/2/manifest.json")

    refused = project.zddeploy("recover", code=5)

    assert "`zddeploy down`, then `zddeploy up`, starts afresh" in refused.stderr
    eventually(lambda: "X-Release: 2\r\n" in project.get())
