"""Code in place: an instance that a restart has brought to refused code is told as such."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.host.process import Process

from .code import configure as released
from .project import PLAIN, PLAIN_TCP, PLAIN_UNIX, Project, configure, service

GOOD = "import plain\n\nplain.main(__import__('sys').argv[1])\n"
BAD = "import plain\n\nplain.answer = lambda *_: b'HTTP/1.1 503 Sorry\\r\\nContent-Length: 0\\r\\n\\r\\n'\n" + GOOD
ENDS_IT = """\
import os

if os.path.exists("old.pid"):
    os.kill(int(open("old.pid").read()), 9)
    os.unlink("old.pid")
"""
WELL = {"health_path": "/", "start_timeout": "5s", "keep_warm": "0s"}  # a good version needs some of it, too


def deploy(project: Project, *others: str, **keys: Any) -> None:
    """Have web serve version 1, whose code is shop.py."""
    configure(project, service("web", **(PLAIN | WELL | keys)), *others)
    project.replace("deploy.toml", "plain.py", "shop.py")
    project.write("shop.py", GOOD)
    project.zddeploy()


def refuse(project: Project, *command: str) -> str:
    """Have a version refused that answers 503; returns what is said of it."""
    project.write("shop.py", BAD)
    return project.zddeploy(*command, code=1).stderr


def refuse_elsewhere(project: Project) -> None:
    """Have a version refused whose code is in another folder."""
    project.write("other/plain.py", (project.folder / "plain.py").read_text())
    project.write("other/shop.py", BAD)
    project.write("other/VERSION", "2")
    project.replace("deploy.toml", "[service.web]", f'[service.web]\ncwd = "{project.folder}/other"')
    project.zddeploy(code=1)


def restarted(project: Project, name: str = "web-1") -> None:
    """Kill the app and wait until its keeper has started it again."""
    before = project.instances()[name]
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: project.instances()[name]["restarts"] > before["restarts"])
    eventually(lambda: project.instances()[name]["state"] == "serving")


def told(project: Project) -> list[str]:
    """What status says of code that nobody wants, in its problems."""
    found = project.status()
    assert (found["state"] in ("degraded", "down")) == bool(found["problems"])
    project.zddeploy("status", code=1 if found["problems"] else 0)
    assert not any("would load it" in note for note in found["notes"]) or not found["problems"]
    return [problem for problem in found["problems"] if "the code" in problem]


@pytest.mark.parametrize("way", [PLAIN, PLAIN_UNIX, PLAIN_TCP], ids=["fd", "unix", "tcp"])
def test_an_instance_that_a_crash_has_brought_to_refused_code_is_told_until_good_code_serves(
    project: Project, way: dict[str, str]
) -> None:
    deploy(project, **way)
    refuse(project)
    assert told(project) == []

    restarted(project)

    assert "HTTP/1.1 503" in project.get()
    (words,) = told(project)
    assert words.startswith("web-1 was restarted at ")
    assert f" and runs the code of deploy 2, which was rejected: put the right code into {project.folder}" in words
    project.write("shop.py", GOOD)
    assert told(project) == [words]  # what was started runs on
    project.zddeploy()
    assert "HTTP/1.1 200" in project.get()
    assert told(project) == []


def test_a_version_that_ends_the_one_before_it_by_its_pid_file_is_told_when_it_is_refused(project: Project) -> None:
    deploy(project)
    project.write("old.pid", str(project.instances()["web-1"]["pid"]))
    project.write("shop.py", ENDS_IT + BAD)

    said = project.zddeploy(code=1).stderr

    assert "deploy 1 is still in force; web-1 " in said
    assert " the code of deploy 2, which was rejected" in said
    eventually(lambda: told(project))


def test_an_instance_that_is_just_being_restarted_is_told_too(project: Project) -> None:
    deploy(project)
    refuse(project)
    project.write("shop.py", "import time\n\ntime.sleep(600)\n")
    refused = project.zddeploy(code=1, timeout=200)
    assert "deploy 1 still serves" in refused.stderr
    pid = project.instances()["web-1"]["pid"]

    os.kill(pid, signal.SIGKILL)
    eventually(lambda: Process.find(pid) is None)

    eventually(lambda: [words for words in told(project) if "the code of deploy 3, which was rejected" in words])


def test_a_refused_restart_counts_and_so_does_each_service(project: Project) -> None:
    deploy(project, service("job", run="python -S plain.py none", socket="none", min_uptime="100ms"))
    refuse(project, "restart")

    restarted(project)
    os.kill(project.instances("job")["job-1"]["pid"], signal.SIGKILL)
    eventually(lambda: len(told(project)) == 2)

    assert [words.split()[0] for words in told(project)] == ["web-1", "job-1"]


def test_code_that_was_rolled_back_and_is_loaded_again_is_told(project: Project) -> None:
    deploy(project, keep_warm="5m")
    project.write("shop.py", BAD.replace("503 Sorry", "200 OK"))
    project.zddeploy()
    project.zddeploy("rollback")
    assert any(
        note.startswith("deploy 2 was rolled back, but its code is still in ") for note in project.status()["notes"]
    )
    assert told(project) == []

    restarted(project)

    (words,) = told(project)
    assert "web-1 was restarted at" in words
    assert "runs the code of deploy 2, which was rolled back" in words


def warned(project: Project) -> list[str]:
    """What status says of code that a crash would load."""
    return [note for note in project.status()["notes"] if "would load it" in note]


def test_that_a_crash_would_load_refused_code_is_said_only_while_it_is_there(project: Project) -> None:
    deploy(project)
    said = refuse(project)
    assert "a crash or reboot would load it" in said.replace("\n", " ")
    assert len(warned(project)) == 1
    assert warned(project)[0].startswith(f"deploy 2 was rejected, but its code is still in {project.folder}: ")

    project.write("shop.py", GOOD)

    assert warned(project) == []
    project.write("shop.py", BAD + "\n# work goes on\n")
    assert warned(project) == [], "nobody knows what that code does"
    project.write("shop.py", BAD)
    assert len(warned(project)) == 1
    project.write("shop.py", GOOD)
    project.zddeploy()
    project.write("shop.py", BAD)
    assert warned(project) == [], "what was refused before the last good deploy is forgotten"


def test_where_only_the_configuration_was_wrong_a_crash_would_load_good_code(project: Project) -> None:
    deploy(project)
    project.replace("deploy.toml", 'health_path = "/"', 'health_path = "/"\nhealth_status = "404"')
    said = project.zddeploy(code=1).stderr

    assert "would load it" not in said
    assert warned(project) == []


def test_where_nothing_was_ever_deployed_a_crash_would_load_nothing(project: Project) -> None:
    configure(project, service("web", **(PLAIN | WELL)))
    project.replace("deploy.toml", "plain.py", "shop.py")
    said = refuse(project)

    assert "would load it" not in said
    assert warned(project) == []
    assert project.status()["state"] == "nothing"


def test_code_that_was_refused_in_a_folder_that_does_not_serve_would_not_be_loaded(project: Project) -> None:
    deploy(project)
    refuse_elsewhere(project)

    assert warned(project) == []


def test_other_code_that_was_put_into_the_folder_before_the_restart_is_not_refused_code(project: Project) -> None:
    deploy(project)
    refuse(project)
    project.write("shop.py", GOOD)

    restarted(project)

    assert "HTTP/1.1 200" in project.get()
    assert told(project) == []


def test_where_only_the_configuration_was_wrong_a_restart_loads_good_code(project: Project) -> None:
    deploy(project)
    project.replace("deploy.toml", 'health_path = "/"', 'health_path = "/"\nhealth_status = "404"')
    project.zddeploy(code=1)

    restarted(project)

    assert told(project) == []


def test_a_refused_version_in_another_folder_is_not_what_a_restart_loads(project: Project) -> None:
    deploy(project)
    refuse_elsewhere(project)

    restarted(project)

    assert told(project) == []


def test_a_version_with_a_release_is_restarted_from_its_own_folder(project: Project) -> None:
    code = released(project)
    project.zddeploy()
    code.commit("broken", **{"plain.py": "raise SystemExit(1)\n"})
    project.zddeploy(code=1)

    restarted(project)

    assert "HTTP/1.1 200" in project.get()
    assert told(project) == []
