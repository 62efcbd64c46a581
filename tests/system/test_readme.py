"""What the README says is so: its commands run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable

import pytest

from ..pages import ROOT, Page
from .project import BIN, Project, SampleProject

OLDEST = """\
[nginx]
template: ./nginx.conf.template
pid_file: ./nginx.pid

[service:gunicorn]
pid_file: gunicorn.pid
start: gunicorn -D -c settings_gunicorn.py app:app
stop: kill -WINCH
"""
APP = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""


def blocks(language: str) -> list[str]:
    """Those that are typed here; what has a place of its own is typed on a host, by tests/lab/test_certificate.py."""
    return [block.text for block in Page(ROOT / "README.md").blocks if block.language == language and not block.where]


def test_its_first_service_is_deployed_looked_at_and_ended_as_it_says(project: Project) -> None:
    zdd = project.section()
    project.write("deploy.toml", zdd + blocks("toml")[0].replace("127.0.0.1:8080", f"127.0.0.1:{project.port}"))
    project.write("app.py", APP)
    script = next(block for block in blocks("sh") if "zddeploy rollback" in block)

    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
    run = subprocess.run(
        ["sh", "-ec", script], cwd=project.folder, env=env, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "shop serves deploy 3" in run.stdout
    assert run.stdout.endswith("shop is down; `zddeploy up` brings it back\n")


def test_its_other_commands_are_run_by_other_tests_and_by_ci() -> None:
    demo, install, _, test = (block.strip() for block in blocks("sh"))
    assert demo == "./dev demo"  # tests/demo
    assert install in Page(ROOT / "docs/tutorial.md").section("Install")[0].text.replace("./zdd", ".")
    assert test == "./dev test"
    assert "./dev test" in (ROOT / ".ci/run").read_text()


def test_what_it_says_of_dev_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    commands = set(re.findall(r"(?m)^([a-z]+)\)", (ROOT / "dev").read_text()))

    assert set(re.findall(r"\./dev ([a-z]+)", text)) <= commands
    assert set(re.findall(r"\./dev test (--[a-z]+)", text)) == {"--quick"}  # tests/test_quick.py


@pytest.mark.parametrize("name", ["gunicorn", "node", "twisted"])
def test_each_sample_is_tried_as_its_readme_says(sample: Callable[[str], SampleProject], name: str) -> None:
    project = sample(name)
    text = (project.folder / "README.md").read_text()
    port = re.search(r"127\.0\.0\.1:([0-9]+)", text)
    assert port is not None
    script = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace(port[1], str(project.port))

    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
    run = subprocess.run(
        ["sh", "-ec", script], cwd=project.folder, env=env, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    first, second = re.findall(r"version ([0-9])", run.stdout)[:2]
    assert (first, second) == ("1", "2")
    assert run.stdout.endswith(f"{project.folder.name} is down; `zddeploy up` brings it back\n")


def test_the_oldest_configuration_is_kept_byte_for_byte() -> None:
    assert (ROOT / "samples/gunicorn/deploy.conf").read_text() == OLDEST
