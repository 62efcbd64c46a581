"""A bad release never takes traffic: it is refused, the screen says why, the old one serves, nothing is left of it."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.machine import free_port, patiently
from tests.waiting import eventually
from zdd.host.process import Process

from .project import (
    LIGHT,
    THE_SECOND,
    WORKER,
    Project,
    assert_nothing_lost,
    configure,
    leftovers,
    service,
    version,
)

# When it is refused, and within how many seconds that should be; where there is no deadline to wait for, it is far.
BEFORE, AT_ONCE, WHEN_IT_ENDS = "before anything is touched", "at once", "when it ends"
AFTER_5_S, AFTER_2_S = "after about 5 s", "after about 2 s"
DEADLINE, BAKE = "after `start_timeout`", "in the bake"
SECONDS = {BEFORE: 1.0, AT_ONCE: 1.0, WHEN_IT_ENDS: 4.0, AFTER_5_S: 7.0, AFTER_2_S: 4.0, DEADLINE: 3.0, BAKE: 4.0}
SLACK = 40.0  # seconds, for machines that are slow
WELL = {"health_path": "/health", "health_timeout": "1s", "stop_timeout": "1s", "start_timeout": "60s"}
SHORT = {"start_timeout": 1.5}


class Broken(NamedTuple):
    """
    A release that `what` describes, when it is refused, and the words that must be on the screen then.

    It is broken in a `way` of broken.py's, or these `keys` of its service are wrong.
    """

    what: str
    when: str
    words: list[str]
    way: str = ""
    keys: dict[str, Any] = {}  # noqa: RUF012  (never changed)
    service: str = "web"

    @property
    def changed(self) -> dict[str, Any]:
        where = "{fd}" if self.service == "web" else "none"
        run = {"run": f"python -S broken.py {self.way} {where}"} if self.way else {}
        return run | (SHORT if self.when == DEADLINE else {"bake": "30s"} if self.when == BAKE else {}) | self.keys


RELEASES = [
    # It cannot even be started.
    Broken(
        "names a user that is not there",
        BEFORE,
        ['[service.web] user = "nobody-else": this machine has no such user', "adduser --system nobody-else"],
        keys={"user": "nobody-else"},
    ),
    Broken(
        "names an `env_file` that is not there",
        BEFORE,
        ["cannot read env_file", "/no.env: No such file or directory"],
        keys={"env_file": "no.env"},
    ),
    Broken(
        "runs a program that is not there",
        AT_ONCE,
        ["web: cannot run 'no-such-server': No such file or directory", "it is in none of PATH's folders"],
        keys={"run": "no-such-server {fd}"},
    ),
    Broken(
        "runs a program that the code does not have",
        AT_ONCE,
        [
            "web: cannot run './no-such-server': No such file or directory",
            "the code must have it, or `build` make it; it is run in /",
        ],
        keys={"run": "./no-such-server {fd}"},
    ),
    Broken(
        "runs a script without a first line that names its interpreter",
        AT_ONCE,
        ["web: cannot run './bare.sh': Exec format error", "the first line of a script says what runs it"],
        keys={"run": "./bare.sh {fd}"},
    ),
    Broken(
        "runs a script whose interpreter is not there",
        AT_ONCE,
        ["web: cannot run './app.sh': its first line names /no/such/shell, which does not exist"],
        keys={"run": "./app.sh {fd}"},
    ),
    Broken(
        "runs a script with the line ends of Windows",
        AT_ONCE,
        ["web: cannot run './windows.sh': its first line ends as on Windows: save it with Unix line ends (dos2unix"],
        keys={"run": "./windows.sh {fd}"},
    ),
    Broken(
        "runs a script with the line ends of Windows, found by `env`",
        AT_ONCE,
        ["ended with exit status 127", "No such file or directory", "the script's lines end as on Windows: save it"],
        keys={"run": "./windows.py {fd}"},
    ),
    Broken(
        "runs what only a shell understands",
        AT_ONCE,
        ["web: cannot run 'exec': No such file or directory", "that is for a shell, and none runs it: begin with the"],
        keys={"run": "exec python plain.py {fd}"},
    ),
    Broken(
        "runs a folder",
        AT_ONCE,
        ["web: cannot run './R': Permission denied", "it is a folder: run must begin with a program"],
        keys={"run": "./R {fd}"},
    ),
    Broken(
        "runs a file that is not executable",
        AT_ONCE,
        ["web: cannot run './VERSION': Permission denied", "it must be executable (chmod +x)"],
        keys={"run": "./VERSION {fd}"},
    ),
    Broken(
        "runs in a folder that is not there",
        AT_ONCE,
        ["web: cannot enter", "/no/such/folder': No such file or directory", "cwd must name a folder of the code"],
        keys={"cwd": "no/such/folder"},
    ),
    # It ends.
    Broken(
        "misses a file",
        AT_ONCE,
        ["ended with exit status 2 before it was healthy", "can't open file", "missing.py': [Errno 2]"],
        keys={"run": "python -S missing.py {fd}"},
    ),
    Broken(
        "has a syntax error",
        AT_ONCE,
        ["ended with exit status 1 before it was healthy", 'unfinished.py", line 1', "SyntaxError: "],
        keys={"run": "python -S unfinished.py {fd}"},
    ),
    Broken(
        "crashes when it is imported",
        AT_ONCE,
        ["ended with exit status 1 before it was healthy", "No module named 'shop'"],
        "crashes_at_import",
    ),
    Broken(
        "has nothing to do",
        AT_ONCE,
        ["ended with exit status 0 before it was healthy", "run must keep the app in the foreground", "nothing to do"],
        "exits_0",
    ),
    Broken(
        "goes into the background",
        AT_ONCE,
        ["ended with exit status 0 before it was healthy", "run must keep the app in the foreground: no daemon mode"],
        "forks_away",
    ),
    Broken(
        "goes into the background once it has answered",
        AT_ONCE,
        ["ended with exit status 0", "run must keep the app in the foreground: no daemon mode"],
        "forks_away_once_it_has_answered",
    ),
    Broken(
        "has workers that die again and again",
        AFTER_5_S,
        ["of its worker processes have ended within", "and none answers; its log says: KeyError: 'DATABASE_URL'"],
        "has_workers_that_die",
        {"start_timeout": "10m"},
    ),
    Broken("gives up after 3 s", WHEN_IT_ENDS, ["ended with exit status 1", "the database says no"], "exits_after_3_s"),
    Broken(
        "is killed, as the kernel does for lack of memory",
        AT_ONCE,
        ["ended with signal SIGKILL before it was healthy", "for lack of memory", "`dmesg`"],
        "is_killed",
    ),
    Broken("crashes in native code", AT_ONCE, ["ended with signal SIGSEGV", "it has printed nothing"], "breaks_memory"),
    Broken("prints 100 MB", WHEN_IT_ENDS, ["ended with exit status 1", "these are my last words"], "talks_too_much"),
    Broken(
        "wants a port that is taken",
        AT_ONCE,
        ["ended with exit status 1", "Address already in use"],
        "insists_on_a_port",
    ),
    # Nobody answers.
    Broken(
        "hangs when it starts",
        DEADLINE,
        ["not healthy after 1.5 s: nothing accepts connections on", "raise start_timeout (now 1.5 s)"],
        "hangs",
    ),
    Broken(
        "never listens",
        DEADLINE,
        ["not healthy after 1.5 s: nothing is at", "the app listens nowhere; it must serve on {socket}"],
        keys={"run": "python -S broken.py hangs {socket}", "socket": "unix"},
    ),
    Broken("ignores SIGTERM", DEADLINE, ["nothing accepts connections on"], "ignores_sigterm", {"stop_timeout": "1s"}),
    Broken(
        "listens on another port",
        DEADLINE,
        [
            "the app listens on 127.0.0.1:ELSEWHERE; it must serve on the socket it inherits",
            "({fd} in run; LISTEN_FDS)",
        ],
        "listens_elsewhere",
    ),
    Broken(
        "listens on another port than that in `PORT`",
        DEADLINE,
        [
            "nothing listens on 127.0.0.1:",
            "the app listens on 127.0.0.1:ELSEWHERE; it must serve on 127.0.0.1 and the port",
        ],
        keys={"run": "python -S broken.py listens_elsewhere {port}", "socket": "tcp"},
    ),
    Broken(
        "listens at another path",
        DEADLINE,
        ["nothing is at", "/another.sock; it must serve on {socket}"],
        keys={"run": "python -S broken.py listens_at_another_path {socket}", "socket": "unix"},
    ),
    Broken(
        "has a wrapper that loses `LISTEN_PID`, so it listens where it likes",
        DEADLINE,
        ["the app listens on 0.0.0.0:ELSEWHERE; it must serve on the socket it inherits", "LISTEN_FDS)"],
        keys={"run": "sh -c 'PORT=$ELSEWHERE gunicorn wsgi:app; exit 1'", "start_timeout": 3.0},
    ),
    Broken(
        "closes descriptor 3",
        AFTER_2_S,
        [
            "it can never answer: it has closed the socket that it was given",
            "the app listens nowhere; it must serve on the socket it inherits",
            'closed by its launcher: socket = "unix" and {socket} in run, or socket = "tcp" and {port}',
        ],
        "closes_its_socket",
    ),
    Broken(
        "shuts its socket down",
        AFTER_2_S,
        [
            "it can never answer: it has closed the socket that it was given",
            "the app listens nowhere; it must serve on the socket it inherits",
        ],
        "shuts_its_socket_down",
    ),
    # It answers, but not well.
    Broken(
        "accepts and never answers",
        DEADLINE,
        ["GET /health was accepted, but not answered within", "raise health_timeout (now 1 s)"],
        "never_answers",
    ),
    Broken(
        "answers late",
        DEADLINE,
        ["GET /health was accepted, but not answered within", "if it is only slow, raise health_timeout"],
        "answers_late",
    ),
    Broken(
        "hangs up",
        DEADLINE,
        ["GET /health: the connection was closed without an answer", "nginx speaks plain HTTP to the app"],
        "hangs_up",
    ),
    Broken(
        "speaks no HTTP", DEADLINE, ["GET /health: the answer is not HTTP: 'SSH-2.0-OpenSSH_9.2'"], "speaks_no_http"
    ),
    Broken(
        "speaks HTTP/2 alone, as gRPC does",
        DEADLINE,
        ["GET /health: the answer is HTTP/2", 'gRPC is served with protocol = "grpc"', "needs a health_command"],
        keys={"run": "python rpc.py {socket}", "socket": "unix", "start_timeout": 3.0},
    ),
    Broken(
        "answers 301",
        DEADLINE,
        [
            "GET /health was answered 301 (Location: https://shop.example/), wanted 200-299",
            "it was asked as 'localhost' and wants another name: health_host = \"shop.example\"",
        ],
        "answers_301",
    ),
    Broken(
        "answers 400",
        DEADLINE,
        ["GET /health was answered 400, wanted 200-299: out of order", "(Django's ALLOWED_HOSTS), set health_host"],
        "answers_400",
    ),
    Broken(
        "answers 401",
        DEADLINE,
        ["GET /health was answered 401", "health_path must name a path that needs no login"],
        "answers_401",
    ),
    Broken(
        "answers 404",
        DEADLINE,
        [
            "GET /health was answered 404, wanted 200-299",
            "asked was http://localhost/health (Host: localhost): the app has no /health",
            "where an app serves several sites by their hosts, set health_host",
        ],
        "answers_404",
    ),
    Broken("answers 500", DEADLINE, ["GET /health was answered 500, wanted 200-299: out of order"], "answers_500"),
    # It was healthy once.
    Broken(
        "dies in the bake",
        BAKE,
        ["web-2 failed in the bake: it ended with exit status 1", "so far, so good"],
        "dies_in_the_bake",
    ),
    Broken(
        "sickens in the bake",
        BAKE,
        ["web-2 failed in the bake: GET /health was answered 503, wanted 200-299: no database, twice in a row"],
        "sickens_in_the_bake",
    ),
    # Workers, which nobody can ask.
    Broken(
        "has a worker that ends before `min_uptime`",
        AT_ONCE,
        ["jobs: `python -S broken.py exits_0 none` ended with exit status 0 before it was healthy"],
        "exits_0",
        {"min_uptime": "30s"},
        "jobs",
    ),
    Broken(
        "has a worker whose `health_command` fails",
        DEADLINE,
        ["jobs: not healthy after 1.5 s: health_command ended with exit status 3: the queue is down"],
        keys={"health_command": "echo the queue is down; exit 3"},
        service="jobs",
    ),
    Broken(
        "has a worker whose `health_command` is not there",
        AT_ONCE,
        ["health_command ended with exit status 127", "./no-such-check must be there and executable (chmod +x)"],
        keys={"health_command": "./no-such-check --all"},
        service="jobs",
    ),
    Broken(
        "has a worker whose `health_command` is not executable",
        AT_ONCE,
        ["health_command ended with exit status 126", "./VERSION must be there and executable (chmod +x)"],
        keys={"health_command": "./VERSION"},
        service="jobs",
    ),
    Broken(
        "has a worker whose `health_command` lacks its interpreter",
        AT_ONCE,
        ["health_command ended with exit status 127", "./app.sh: its first line names /no/such/shell, which does not"],
        keys={"health_command": "./app.sh"},
        service="jobs",
    ),
    Broken(
        "has a worker whose `health_command` hangs",
        DEADLINE,
        ["jobs: not healthy after 1.5 s: health_command ended with SIGKILL: (killed: not done after 0.3 s)"],
        keys={"health_command": "sleep 60", "health_timeout": "300ms"},
        service="jobs",
    ),
    Broken(
        "has a worker that ends while its `health_command` waits",
        WHEN_IT_ENDS,
        ["jobs: `python", "none` ended with exit status 1 before it was healthy", "the database says no"],
        "exits_after_3_s",
        {"health_command": "sleep 60", "health_timeout": "60s"},
        "jobs",
    ),
]


@pytest.mark.parametrize("broken", RELEASES, ids=lambda broken: broken.what)
def test_a_broken_release_is_refused_with_its_cause(project: Project, broken: Broken) -> None:
    """All or nothing: of two services one is broken, and both are as they were."""
    project.write("born", "")
    project.write("app.sh", "#!/no/such/shell\n").chmod(0o755)
    project.write("bare.sh", "echo served\n").chmod(0o755)
    project.write("windows.sh", "#!/bin/sh\r\nexec python plain.py 3\r\n").chmod(0o755)
    project.write("windows.py", "#!/usr/bin/env python3\r\nimport plain\r\n").chmod(0o755)
    project.write("unfinished.py", "def app(:\n")
    elsewhere = str(free_port())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = {"ELSEWHERE": elsewhere, "TAKEN": str(taken.getsockname()[1])}
        shop(project, env)
        project.zddeploy()
        old = project.serving("web") | project.serving("jobs")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        with project.load(**LIGHT) as load:

            def attempt(times: float) -> None:
                shop(project, env, broken, times)
                version(project, 2)
                now = f"{1.5 * times:g} s"
                words = [word.replace("ELSEWHERE", elsewhere).replace("1.5 s", now) for word in broken.words]
                refused(project, words, broken.when, times)

            patiently(attempt, 1, *([12] if broken.when == DEADLINE else []))
            report = load.stop()

    assert_nothing_lost(report)
    assert project.serving("web") | project.serving("jobs") == old
    assert broken.when == BAKE or list(report.answered) == ["1"]
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child counts with it until it has run its program
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert theirs <= max(memory, ours, 80 << 10), "kilobytes of zddeploy's"


@pytest.mark.parametrize("rate", [0, 100], ids=["idle", "under load"])
def test_a_release_that_nginx_cannot_reach_is_taken_back(project: Project, rate: int) -> None:
    """Its own answers are fine; only the request through nginx, by a connection to the new one, meets a 502."""
    project.write("born", "")
    shop(project, {})
    project.zddeploy()
    old = project.serving()
    with project.load(rate=rate or 0.1, connections=8) as load:
        time.sleep(THE_SECOND)
        shop(project, {}, Broken("", BAKE, [], "hangs_up_on_proxies"))
        refused(project, ["web: healthy, but nginx answers 502", "prematurely closed"], BAKE)
        report = load.stop()

    assert project.serving() == old
    assert "web 1" in project.get("/")
    assert set(report.failed) <= {"5xx"}, "clients meet it until it is taken back, and no more than that"
    print(f"{report.total_failed} of {report.requests} requests met it")


@pytest.fixture
def little_memory() -> Iterator[dict[str, str]]:
    """A control group with 50 MB, as variables for broken.py."""
    of_its_own = Path("/sys/fs/cgroup/memory")  # version 1
    group = (of_its_own if of_its_own.is_dir() else of_its_own.parent) / f"zdd-{os.getpid()}"
    limits = {"memory.limit_in_bytes": "50M", "memory.memsw.limit_in_bytes": "50M", "memory.max": "50M"}
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    if not list(group.glob("memory.*")):
        group.rmdir()
        pytest.skip("control groups made here have no memory controller")
    for name, size in (limits | {"memory.swap.max": "0"}).items():
        if (group / name).exists():
            (group / name).write_text(size)
    yield {"GROUP": str(group)}
    group.rmdir()


EATER = "python -S broken.py runs_out_of_memory {fd}"


@pytest.mark.parametrize("run", [EATER, f"sh -c '{EATER}; exit 1'"], ids=["itself", "behind a shell"])
def test_a_release_for_which_memory_runs_out_is_told_so(
    project: Project, little_memory: dict[str, str], run: str
) -> None:
    project.write("born", "")
    shop(project, little_memory)
    project.zddeploy()
    shop(project, little_memory, Broken("", AT_ONCE, [], keys={"run": run}))
    refused(project, ["loading the model", "memory ran out: the kernel has killed a process"], AT_ONCE)


def test_a_first_release_that_is_broken_leaves_nothing_serving(project: Project) -> None:
    project.write("born", "")
    shop(project, {}, Broken("", DEADLINE, [], "answers_500", keys={"start_timeout": "6s"}))
    said = project.zddeploy(code=1)

    waited_for = "GET /health was answered 500, wanted 200-299: out of order"
    assert said.stdout.count(f"\nweb-1: not healthy after 5 s, and may take 6 s: {waited_for}\n") == 1
    assert "nothing was served before, and nothing is now" in said.stderr
    assert project.status()["state"] == "nothing"
    assert leftovers(project.folder) == []


def shop(project: Project, env: dict[str, str], broken: Broken | None = None, times: float = 1) -> None:
    """Have a web service and a worker, one of them broken, which has so many times as long to start."""
    keys: dict[str, dict[str, Any]] = {
        "web": {"run": "python -S plain.py {fd}", **WELL, "env": env},
        "jobs": {**WORKER, "stop_timeout": "1s", "start_timeout": "60s"},
    }
    if broken:
        keys[broken.service] |= broken.changed
        if broken.when == DEADLINE:
            keys[broken.service]["start_timeout"] *= times
    services = (service(name, **keys[name]) for name in keys)
    configure(project, *services, after_switch="touch baking-$ZDD_DEPLOY")


def refused(project: Project, words: list[str], when: str, times: float = 1) -> None:
    """Deploy; it must fail, with these words on the screen, and leave everything as it was."""
    before = traces(project)
    begun = time.monotonic()
    said = project.zddeploy(code=2 if when == BEFORE else 1).stderr
    took = time.monotonic() - begun

    print(f"refused after {took:.2f} s, wanted within {SECONDS[when]:g} s\n{said}")
    # A keeper has its last milliseconds after its last word; in the bake clients may have come, who are drained.
    eventually(lambda: traces(project) == before)
    assert [word for word in words if word not in said] == []
    assert when == BEFORE or "deploy 1 still serves" in said
    assert took < SECONDS[when] * times + SLACK


def traces(project: Project) -> tuple[set[str], set[int]]:
    """What an instance has while there is anything of it: files in R, processes."""
    files = {
        str(path) for folder in ("control", "instances", "tables") for path in (project.runtime / folder).glob("*")
    }
    born = [int(line) for line in (project.folder / "born").read_text().split()]
    living = {pid for pid in born if Process.find(pid)} | {pid for pid, _ in leftovers(project.folder)}
    return files, living - {os.getpid()}
