"""The first line on the screen names the cause, with real servers that are broken; the hint says what fixes it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.machine import free_port
from tests.waiting import eventually

from .project import PLAIN, WORKER, Project, configure, service, version

LAST = {"start_timeout": "10m"}  # nobody waits for it
OTHER_WAYS = 'socket = "unix" and {socket} in run, or socket = "tcp" and {port}'


def refused(project: Project, **keys: Any) -> list[str]:
    """Deploy a second version with these keys, which is refused; return the lines on the screen."""
    project.write("born", "")
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    configure(project, service("web", **{"stop_timeout": "1s"} | keys))
    version(project, 2)
    lines = project.zddeploy(code=1).stderr.splitlines()
    print("\n".join(lines))
    eventually(lambda: not list((project.runtime / "control").glob("web-2.*")))
    return lines


@pytest.mark.parametrize(
    ("run", "cause"),
    [
        ("gunicorn --no-control-socket -b fd://{fd} wsgi:nope", "Failed to find attribute 'nope' in 'wsgi'."),
        ("gunicorn --no-control-socket -b fd://{fd} shop:app", "ModuleNotFoundError: No module named 'shop'"),
        ("uvicorn --fd {fd} asgi:nope", 'Error loading ASGI app. Attribute "nope" not found in module "asgi".'),
        ("hypercorn -b fd://{fd} asgi:nope", "Cannot load application from 'asgi:nope', application not found."),
        ("uvicorn --fd {fd} unfinished:app", "unfinished.py, line 1)"),
        ("uvicorn --fd {fd} needs:app", "KeyError: 'DATABASE_URL' ("),
        ("node missing.cjs", "Error: Cannot find module 'no-such-module' ("),
        ("node unset.cjs", "TypeError: Cannot read properties of undefined (reading 'split') ("),
    ],
)
def test_the_first_line_names_the_cause(project: Project, run: str, cause: str) -> None:
    project.write("unfinished.py", "def app(:\n")
    project.write("needs.py", 'import os\n\napp = os.environ["DATABASE_URL"]\n')
    project.write("missing.cjs", 'require("no-such-module")\n')
    project.write("unset.cjs", 'process.env.DATABASE_URL.split(":")\n')

    lines = refused(project, run=run, env={"PYTHONPATH": "."}, **LAST)

    assert cause in lines[0]
    assert not any("daemon mode" in line for line in lines)


def test_a_server_whose_workers_all_fail_is_not_told_to_stay_in_the_foreground(project: Project) -> None:
    """uvicorn and hypercorn end with exit status 0 then."""
    lines = refused(project, run="uvicorn --workers 2 --fd {fd} asgi:nope", env={"PYTHONPATH": "."}, **LAST)

    assert 'Attribute "nope" not found in module "asgi"' in lines[0]
    assert not any("daemon mode" in line for line in lines)


def test_processes_that_end_without_a_word_are_no_failure(project: Project) -> None:
    project.write("born", "")
    configure(project, service("web", run="python -S broken.py forks_much_and_serves_then {fd}", **LAST))

    assert "healthy after" in project.zddeploy().stdout


def test_a_pid_file_that_two_versions_share_is_named(project: Project) -> None:
    run = "gunicorn --no-control-socket --pid shared.pid -b fd://{fd} wsgi:app"
    project.write("born", "")
    configure(project, service("web", run=run, env={"PYTHONPATH": "."}))
    project.zddeploy()
    version(project, 2)

    said = project.zddeploy(code=1).stderr

    assert "Already running on PID" in said.splitlines()[0]
    assert "each needs a pid file of its own ({instance} in run), or none" in said


def test_a_port_that_is_taken_is_named_with_what_to_serve_on(project: Project) -> None:
    port = str(free_port())
    run = "python -S broken.py insists_on_a_port {fd}"
    project.write("born", "")
    configure(project, service("web", **PLAIN), service("jobs", **WORKER | {"run": f"python -S plain.py {port}"}))
    project.zddeploy()
    configure(project, service("web", run=run, env={"TAKEN": port}), service("jobs", **WORKER))

    said = project.zddeploy("deploy", "web", code=1).stderr

    assert "Address already in use" in said.splitlines()[0]
    assert "no port may be fixed: the app must serve on the socket it inherits as descriptor 3" in said


@pytest.mark.parametrize(
    ("launches", "keys"),
    [
        ("-m uvicorn asgi:app --fd", LAST),  # ends with a bad descriptor
        ("-m gunicorn --no-control-socket -b 127.0.0.1:0 wsgi:app -n", {"start_timeout": "8s"}),  # listens elsewhere
        ("-S broken.py hangs", {"start_timeout": "5s"}),
    ],
    ids=["ends", "listens elsewhere", "listens nowhere"],
)
def test_a_launcher_that_closes_descriptor_3_is_named(project: Project, launches: str, keys: dict[str, str]) -> None:
    env = {"LAUNCHES": launches, "PYTHONPATH": "."}
    lines = refused(project, run="python -S broken.py launches {fd}", env=env, **keys)

    assert any(f"descriptor 3 was closed by its launcher: {OTHER_WAYS}" in line for line in lines)


def test_a_launcher_that_outlives_the_app_it_gives_no_descriptor_is_named(project: Project) -> None:
    """As supervisord does, it starts the app again later; meanwhile no process but the launcher is there."""
    run = "[sys.executable, '-m', 'uvicorn', 'asgi:app', '--fd', '3']"
    project.write("again.py", f"import subprocess, sys, time\nsubprocess.run({run})\ntime.sleep(600)\n")

    lines = refused(project, run="python -S again.py {fd}", env={"PYTHONPATH": "."}, start_timeout="20s")

    assert any(f"descriptor 3 was closed by its launcher: {OTHER_WAYS}" in line for line in lines)


@pytest.mark.parametrize(("program", "name"), [("bun", "Bun"), ("deno", "Deno")])
def test_a_runtime_that_takes_no_descriptor_is_told_the_other_two_ways(
    project: Project, program: str, name: str
) -> None:
    """A stand-in, known by its name like the real one."""
    (project.folder / program).symlink_to(sys.executable)
    env = {"ELSEWHERE": str(free_port())}
    run = f"./{program} -S broken.py listens_elsewhere {{fd}}"

    lines = refused(project, run=run, env=env, start_timeout="5s")

    assert any(f"the app listens on 127.0.0.1:{env['ELSEWHERE']}" in line for line in lines)
    assert any(f"which {name} cannot: {OTHER_WAYS}" in line for line in lines)


def test_a_cause_without_a_newline_is_not_mixed_with_what_zdd_writes(project: Project) -> None:
    lines = refused(project, run="sh -c 'printf no.licence.key >&2; exit 3'", **LAST)

    assert lines[0].endswith("; its log says: no.licence.key")


def test_a_cause_that_was_rotated_away_with_a_flood_of_words_is_found(project: Project) -> None:
    """Once its last words stand in the rotated part, the log itself is empty."""
    flood = (
        "import os, sys, time\nprint('x' * 200_000, file=sys.stderr)\nprint('ValueError: no key', file=sys.stderr)\n"
    )
    wait = "while os.fstat(2).st_size > 10_000:\n    time.sleep(0.05)\nsys.exit(1)\n"
    project.write("flood.py", flood + wait)
    configure(project, service("web", **PLAIN), log_max="64K")
    project.zddeploy()
    configure(project, service("web", run="python -S flood.py", **LAST), log_max="64K")

    told = project.zddeploy(code=1).stderr

    assert "its log says: ValueError: no key" in told.splitlines()[0]
    assert "it has printed nothing" not in told
