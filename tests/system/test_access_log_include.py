"""The access log of an nginx that is not zdd's: its server block writes it with the lines that zdd tells."""

from __future__ import annotations

import re

from tests.waiting import eventually
from zdd.nginx.access_log import UNKNOWN

from .foreign_nginx import Foreign, configured, said
from .project import Project, version
from .visitors import logged


def test_with_the_two_lines_each_request_has_its_version_and_zdds_own_are_left_out(
    project: Project, foreign: Foreign
) -> None:
    configured(project, foreign)
    foreign.start()
    project.zddeploy()
    hint = project.zddeploy("logs", "--access", code=2).stderr
    log = project.folder / "shop.log"
    lines = [line.replace("/var/log/nginx/NAME.log", str(log)) for line in re.findall(r"(?m)^.*zdd_.*;$", hint)]
    assert len(lines) == 2, hint

    project.replace("deploy.toml", "[nginx]", f'[nginx]\naccess_log = "{log}"')
    foreign.lead()
    assert "no server block logs into" in said(project, "check", code=0)
    foreign.lead(site=" ".join(lines))
    assert "no server block logs into" not in said(project, "check", code=0)
    workers, answered = foreign.workers(), dict[str, str]()
    names = {str(pid): name for name, pid in project.serving().items()}

    def ask() -> int:
        path = f"/{len(answered)}"
        (answered[path],) = re.findall(r"X-Pid: (\d+)", project.get(f"{path}?secret=1"))
        return len(answered)

    for number in (2, 3):
        version(project, number)
        child = project.beside()
        while child.poll() is None:
            ask()
        assert child.returncode == 0, child.said()
        names |= {str(pid): name for name, pid in project.serving().items()}
        before = len(answered)
        eventually(lambda: ask() > before + 20)  # noqa: B023  (called at once)

    assert foreign.workers() == workers
    found = {line["path"]: line for line in logged(project, answered, "path")}
    assert set(found) == set(answered), "and no request of zdd's own"
    for path, pid in answered.items():
        assert found[path]["instance"] in (names[pid], UNKNOWN), found[path]
    assert {line["instance"] for line in found.values()} >= {"web-2", "web-3"}
    assert "secret" not in log.read_text()
