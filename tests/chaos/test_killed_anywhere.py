"""
zddeploy is killed (-9) at every system call of its own that changes something, under POST load; the next command
finishes or undoes what was interrupted, and no client ever notices.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.machine import free_port
from tests.secure import connected, context
from tests.system.project import (
    APPS,
    BIN,
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)
from tests.system.static_code import Site, ask
from tests.system.test_stop_first import release
from tests.waiting import eventually
from zdd.load import Kind, Report

# What changes something outside the process. Reading, waiting and the process's own memory are left out.
CHANGING = (
    "rename,renameat,renameat2,symlink,symlinkat,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,"
    "chown,fchown,ftruncate,fsync,fdatasync,pwrite64,write,sendto,sendmsg,connect,setxattr,fsetxattr,flock,"
    "pidfd_send_signal,kill,clone,clone3,vfork,fork"
)
OPENS = "openat"  # only those that create or write: their places among all opens are taken from a recorded run
SAMPLE = 12
AUTHORITY = Authority()
ONLY_POSTS = (Kind("POST", "/echo", body=3000), Kind("POST", "/slow", body=10))
WEB = service("web", **PLAIN, health_path="/", keep_warm="1s")
API = service("api", **PLAIN_TCP, health_path="/", path="/api")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (Debian's package strace)")


class Change:
    """A command that changes what serves, and how to be ready for it."""

    def __init__(self, project: Project, *args: str, before: Callable[[], object] = lambda: None) -> None:
        self.project = project
        self.args = args
        self.before = before

    def points(self) -> list[tuple[str, int]]:
        """Record one undisturbed run; returns where it can be killed, as (system call, how many-th)."""
        self.before()
        log = self.project.folder / "strace"
        self._strace("-o", str(log), "-e", f"trace={CHANGING},{OPENS}")
        counts: Counter[str] = Counter()
        found = []
        for line in log.read_text().splitlines():
            if match := re.match(r"(\w+)\(", line):
                counts[match[1]] += 1
                if match[1] != OPENS or re.search(r"O_(CREAT|WRONLY|RDWR)", line):
                    found.append((match[1], counts[match[1]]))
        return found

    def killed_at(self, call: str, count: int) -> bool:
        """Run it and kill it there; False when it ended before, since no two runs are quite the same."""
        self.before()
        inject = f"inject={call}:signal=KILL:when={count}"
        return self._strace("-o", os.devnull, "-e", f"trace={call}", "-e", inject) == -signal.SIGKILL

    def _strace(self, *options: str) -> int:
        return subprocess.run(
            ["strace", *options, str(BIN / "zddeploy"), *self.args],
            cwd=self.project.folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        ).returncode


def sample(points: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """
    Choose points of every system call, early ones of some and late ones of others.

    How often zddeploy asks and waits (sendto, connect) differs most from run to run, so these must not prevail.
    """
    by_call: dict[str, list[tuple[str, int]]] = {}
    for point in points:
        by_call.setdefault(point[0], []).append(point)
    each, kinds = -(-SAMPLE // len(by_call)), len(by_call)
    return [
        some[(nth * len(some) // kinds + turn * len(some) // each) % len(some)]
        for nth, some in enumerate(by_call.values())
        for turn in range(min(each, len(some)))
    ]


def walk(
    project: Project,
    change: Change,
    everything: bool,
    check: Callable[[Report], None],
    kinds: tuple[Kind, ...] = ONLY_POSTS,
    connections: int = 32,
) -> None:
    """Kill the command at every point, or at a sample of them, and have the next one put things right."""
    with project.load(kinds, rate=100, connections=connections) as load:
        points = change.points()
        assert len(points) > 40, f"implausibly few points: {points}"
        chosen = points if everything else sample(points)
        killed = 0
        for call, count in chosen:
            killed += change.killed_at(call, count)
            project.zddeploy()
            assert project.status()["problems"] == []
        report = load.stop()

    print(f"{len(points)} points, {len(chosen)} tried, {killed} killed there, {report.requests} POSTs")
    check(report)
    assert killed > len(chosen) // 3  # a run under strace takes longer, and asks and waits more often than the others
    eventually(lambda: len(list((project.runtime / "control").glob("*.json"))) <= 2 * len(project.status()["services"]))


def test_a_deploy_killed_anywhere_loses_nothing(project: Project, everything: bool) -> None:
    configure(project, WEB)
    project.zddeploy()
    walk(project, Change(project, before=lambda: bump(project)), everything, assert_nothing_lost)


def test_a_deploy_of_several_services_killed_anywhere_loses_nothing(project: Project, everything: bool) -> None:
    configure(project, WEB, API)
    project.zddeploy()
    both = (*ONLY_POSTS, Kind("POST", "/api/echo", body=300, weight=2))
    walk(project, Change(project, before=lambda: bump(project)), everything, assert_only_reloads_cost, both)


def test_a_rollback_killed_anywhere_loses_nothing(project: Project, everything: bool) -> None:
    configure(project, service("web", **PLAIN, health_path="/"))
    project.zddeploy()

    def before() -> None:
        bump(project)
        project.zddeploy()

    before()
    walk(project, Change(project, "rollback", before=before), everything, assert_nothing_lost)


def test_a_stop_first_deploy_killed_anywhere_loses_nothing_and_two_versions_never_run(
    project: Project, everything: bool
) -> None:
    numbers = itertools.count(2)
    release(project, 1, boot=0.1)
    project.zddeploy()
    change = Change(project, before=lambda: release(project, next(numbers), boot=0.1))
    walk(project, change, everything, assert_nothing_lost, connections=1000)
    assert "another version runs" not in project.log("web-*.log")


def test_a_deploy_of_a_static_site_with_a_new_certificate_killed_anywhere_loses_nothing(
    project: Project, everything: bool
) -> None:
    numbers, tls, https = itertools.count(2), project.folder / "tls", free_port()
    keys = 'certificate = "tls/site.crt"\ncertificate_key = "tls/site.key"\nredirect_https = false\n'
    tls.mkdir(0o700)
    api = service("api", **PLAIN, health_path="/", path="/api", keep_warm="1s")
    site = Site(project, api, nginx=f'https_listen = "127.0.0.1:{https}"\n{keys}')
    shutil.copy(APPS / "plain.py", site.folder)

    def before() -> None:
        number = next(numbers)
        AUTHORITY.issue(tls, "shop.test")
        site.write("VERSION", str(number))
        site.make(number)

    before()
    project.zddeploy()
    both = (Kind(), Kind(path="/style.css"), Kind("POST", "/api/echo", body=300))
    walk(project, Change(project, before=before), everything, assert_only_reloads_cost, both)
    number = next(numbers) - 1
    assert ask(project).text == f"<p>{number}"
    assert ask(project, "/api/").text == f"api {number}\n"
    assert shown(https) == newest(tls / "site.crt")
    assert len(list((project.state / "releases").iterdir())) <= 10


def shown(port: int) -> bytes | None:
    """Return the certificate that nginx shows."""
    with connected(port, "shop.test", context(AUTHORITY.pem)) as connection:
        return connection.getpeercert(binary_form=True)


def newest(file: Path) -> bytes:
    """Return the first certificate in the file."""
    end = "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(file.read_text().partition(end)[0] + end)


def bump(project: Project) -> None:
    """Make another version."""
    version(project, int((project.folder / "VERSION").read_text()) + 1)
