"""Deploys at 200 requests a second, and the template of those who come by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zdd.load import Kind, Report

from .project import HEAD, Project, assert_only_reloads_cost, configure, version

ANSWERS = {"run": "python -S answers.py {fd}"}
ANSWERS_TCP = {"run": "python -S answers.py {port}", "socket": "tcp"}
TOO_LARGE = 300_000  # bytes of a header: more than nginx's buffers, whatever their setting
BUSY: dict[str, Any] = {"rate": 200, "connections": 16}
SITE = (
    HEAD
    + """\
    {zdd.mark}
    include FOLDER/site-*.conf;
    upstream web { {web.servers} }
    # the visitors of these tests
    server { listen 127.0.0.1:PORT default_server; return 404; }
    server { listen 127.0.0.1:PORT; server_name www.test; location / { proxy_pass http://web; } }
    SERVERS
}
"""
)


def behind_template(project: Project, servers: str, *services: str) -> None:
    """Have these services behind a template, with these servers beside the one that the load asks."""
    configure(project, *services)
    text = SITE.replace("PORT", str(project.port)).replace("SERVERS", servers).replace("FOLDER", str(project.folder))
    project.write("nginx.conf.template", text)
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')


def answers(project: Project, number: int, **how: Mapping[str, object]) -> None:
    """Make a version of answers.py; `how` has the answer for each path, whose slash is left out."""
    project.write("ANSWERS", json.dumps({f"/{path}".replace("root", ""): answer for path, answer in how.items()}))
    version(project, number)


def deploy_at_load(project: Project, code: int = 0, paths: str = "/", host: str = "") -> tuple[dict[str, Any], Report]:
    """Deploy while visitors ask, by GET and POST; returns the result event, and what visitors got."""
    kinds = (Kind(path=paths, weight=3), Kind("POST", paths, body=2000, weight=2))
    with project.load(kinds, host=host or "localhost", **BUSY) as load:
        events = project.events(code=code)
        report = load.stop()
    return events[-1], report


def assert_switched(result: Mapping[str, Any], report: Report) -> None:
    """Check that the deploy proved what it did, and that visitors got version 1, then 2, at no cost but a reload's."""
    assert result["unproved"] == []
    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]
