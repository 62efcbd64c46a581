"""A bad release never takes traffic: it is refused, the screen says why, the old one serves, nothing is left of it."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zdd.host.process import Process

from .project import (
    LIGHT,
    THE_SECOND,
    Project,
    assert_nothing_lost,
    configure,
    eventually,
    free_port,
    leftovers,
    service,
    version,
)

WELL = {
    "run": "python -S broken.py {fd}",
    "health_path": "/health",
    "start_timeout": "1500ms",
    "health_timeout": "1s",
    "stop_timeout": "1s",
}
SLACK = 15.0  # seconds, for machines that are slow
MEGABYTE = 1024  # of ru_maxrss

# How it is broken, what must be on the screen, and within how many seconds it should be refused.
RELEASES = [
    ("crashes_at_import", ["ended with exit status 1 before it was healthy", "No module named 'shop'"], 1),
    ("exits_0", ["ended with exit status 0 before it was healthy", "nothing to do"], 1),
    ("exits_after_a_second", ["ended with exit status 1", "the database says no"], 2),
    ("is_killed", ["ended with signal SIGSEGV"], 1),
    ("never_listens", ["not healthy after 1.5 s", "nothing accepts connections", "the app listens nowhere", "{fd}"], 3),
    ("ignores_sigterm", ["not healthy after 1.5 s", "nothing accepts connections"], 4),
    ("listens_elsewhere", ["not healthy after 1.5 s", "the app listens on 127.0.0.1:ELSEWHERE instead", "{fd}"], 3),
    ("closes_its_socket", ["not healthy after 1.5 s", "the app listens nowhere"], 3),
    ("shuts_its_socket_down", ["not healthy after 1.5 s"], 3),
    ("forks_away", ["ended with exit status 0 before it was healthy"], 1),
    ("talks_too_much", ["ended with exit status 1", "these are my last words"], 3),
    ("never_answers", ["not healthy after 1.5 s", "GET /health was accepted, but not answered within"], 3),
    ("speaks_no_http", ["not healthy after 1.5 s", "the answer is not HTTP: 'SSH-2.0-OpenSSH_9.2'"], 3),
    ("hangs_up", ["not healthy after 1.5 s", "Connection reset by peer"], 3),
    ("answers_500", ["GET /health was answered 500, wanted 200-299: out of order"], 3),
    ("answers_404", ["GET /health was answered 404, wanted 200-299: out of order"], 3),
    ("answers_301", ["GET /health was answered 301 (Location: https://shop.example/), wanted 200-299"], 3),
]


@pytest.mark.parametrize(("mode", "words", "seconds"), RELEASES, ids=[mode for mode, _, _ in RELEASES])
def test_a_broken_release_is_refused_with_its_cause(
    project: Project, mode: str, words: list[str], seconds: float
) -> None:
    elsewhere = str(free_port())
    configure(project, service("web", **WELL, env={"ELSEWHERE": elsewhere}))
    project.write("MODE", "well")
    project.zddeploy()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with old_version_serves(project):
        project.write("MODE", mode)
        refused(project, *(word.replace("ELSEWHERE", elsewhere) for word in words), seconds=seconds)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(memory, 80 * MEGABYTE)


# What is wrong in the configuration, and is found only when the app is started.
SETTINGS = [
    ("python -S broken.py {fd}", "no-such-server {fd}", ["web: cannot run 'no-such-server': No such file"]),
    (
        "python -S broken.py {fd}",
        "./app.sh {fd}",
        ["web: cannot run './app.sh': the interpreter that its first line names"],
    ),
    ("python -S broken.py {fd}", "./VERSION {fd}", ["web: cannot run './VERSION': Permission denied"]),
    ("env = {}", 'cwd = "no/such/folder"', ["web: cannot enter '", "no/such/folder': No such file"]),
]


@pytest.mark.parametrize(("right", "wrong", "words"), SETTINGS, ids=["command", "interpreter", "executable", "cwd"])
def test_an_app_that_cannot_be_started_is_refused_with_the_reason(
    project: Project, right: str, wrong: str, words: list[str]
) -> None:
    configure(project, service("web", **WELL, env={}))
    project.write("MODE", "well")
    project.write("app.sh", "#!/no/such/shell\n").chmod(0o755)
    project.zddeploy()
    with old_version_serves(project):
        project.replace("deploy.toml", right, wrong)
        refused(project, *words, seconds=1)


def test_a_server_whose_wrapper_lost_its_socket_is_refused_and_found_where_it_listens(project: Project) -> None:
    """LISTEN_PID names the shell, so gunicorn takes no notice of the socket and quietly listens on a port."""
    port = str(free_port())
    configure(project, service("web", **WELL | {"start_timeout": "3s"}, env={}))
    project.write("MODE", "well")
    project.zddeploy()
    with old_version_serves(project):
        project.replace("deploy.toml", WELL["run"], "sh -c 'gunicorn wsgi:app; exit 1'")
        project.replace("deploy.toml", "env = {}", f'env = {{ PORT = "{port}" }}')
        refused(project, f"the app listens on 0.0.0.0:{port} instead", "LISTEN_FDS", seconds=4)


def test_a_release_that_dies_in_the_bake_is_taken_back(project: Project) -> None:
    configure(project, service("web", **WELL, bake="0s"))
    project.write("MODE", "well")
    project.zddeploy()
    old = project.serving()
    project.write("MODE", "dies_in_the_bake")
    project.replace("deploy.toml", 'bake = "0s"', 'bake = "3s"')
    refused(project, "web-2 failed in the bake", "exit status 1", seconds=4, gone_at_once=False)
    assert project.serving() == old


@pytest.mark.parametrize("rate", [0, 100], ids=["idle", "under load"])
def test_a_release_that_nginx_cannot_reach_is_taken_back(project: Project, rate: int) -> None:
    """Its own answers are fine; only the request through nginx, by a connection to the new one, meets a 502."""
    configure(project, service("web", **WELL | {"start_timeout": "30s"}))
    project.write("MODE", "well")
    project.zddeploy()
    old = project.serving()
    with project.load(rate=rate or 0.1, connections=8) as load:
        time.sleep(THE_SECOND)
        project.write("MODE", "hangs_up_on_proxies")
        refused(project, "web: healthy, but nginx answers 502", "prematurely closed", seconds=4, gone_at_once=False)
        report = load.stop()

    assert project.serving() == old
    assert "web 1" in project.get("/")
    assert set(report.failed) <= {"5xx"}, "clients meet it until it is taken back, and no more than that"
    print(f"{report.total_failed} of {report.requests} requests met it")


def test_a_first_release_that_is_broken_leaves_nothing_serving(project: Project) -> None:
    configure(project, service("web", **WELL))
    project.write("MODE", "answers_500")
    said = project.zddeploy(code=1).stderr

    assert "nothing was served before, and nothing is now" in said
    assert project.status()["state"] == "nothing"
    assert leftovers(project.folder) == []


@contextmanager
def old_version_serves(project: Project) -> Iterator[None]:
    """Under a light load nothing is lost, and all of it is answered by version 1."""
    with project.load(**LIGHT) as load:
        version(project, 2)
        yield
        report = load.stop()
    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]


def refused(project: Project, *words: str, seconds: float, gone_at_once: bool = True) -> None:
    """Deploy; it must fail, with these words on the screen, and leave everything as it was."""
    before = traces(project)
    begun = time.monotonic()
    result = project.zddeploy(code=1)
    took = time.monotonic() - begun

    for word in (*words, "deploy 1 still serves"):
        assert word in result.stderr
    print(f"refused after {took:.2f} s, wanted within {seconds:g} s")
    assert took < seconds + SLACK
    if not gone_at_once:  # clients may have been sent to it, so it is drained
        eventually(lambda: traces(project) == before)
    assert traces(project) == before


def traces(project: Project) -> tuple[set[str], set[int]]:
    """What an instance has while there is anything of it: files in R, processes."""
    files = {
        str(path) for folder in ("control", "instances", "tables") for path in (project.runtime / folder).glob("*")
    }
    born = [int(line) for line in (project.folder / "born").read_text().split()]
    living = {pid for pid in born if Process.find(pid)} | {pid for pid, _ in leftovers(project.folder)}
    return files, living - {os.getpid()}
