"""The access log of a project of static services: there is one where a timer rotates it, and it says the release."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.conf import read
from zdd.nginx.access_log import UNKNOWN
from zdd.operate import rotation_timer

from .project import APPS, PLAIN, Project, nginx_workers, service
from .static_code import HASHED, Site, ask
from .visitors import Answered, Visitors, access, logged, share_known, visiting, wrong

LARGE = 32 << 20  # bytes: more than the buffers of a connection hold

# zddeploy on a machine whose systemd has its units in another folder; nothing else of systemd is there.
ENABLED = """\
import runpy, sys, types
from zdd.host import systemd, unit_files
unit_files.FOLDER = {folder!r}
unit_files.systemd = types.SimpleNamespace(runs=lambda: True, unit_name=systemd.unit_name)
sys.argv = sys.argv[1:]
runpy.run_module("zdd", run_name="__main__")
"""


class Timer:
    """What systemd would have of the project's timer; a test is the one who runs it."""

    def __init__(self, project: Project) -> None:
        self.project, self.folder = project, project.folder / "units"
        self.link = self.folder / "timers.target.wants/zdd-shop.logs.timer"
        self.link.parent.mkdir(parents=True)
        project.within = (sys.executable, "-c", ENABLED.format(folder=str(self.folder)))

    def enable(self) -> None:
        config = read.load(self.project.folder / "deploy.toml")
        for piece in rotation_timer.pieces(config, pwd.getpwuid(os.geteuid()), ["zddeploy"]):
            (self.folder / os.path.basename(piece.path)).write_text(piece.text)
        self.link.symlink_to(self.folder / self.link.name)

    def disable(self) -> None:
        self.link.unlink()

    def run(self) -> str:
        """Run the command of its service."""
        words = (self.folder / "zdd-shop.logs.service").read_text().partition("ExecStart=zddeploy ")[2]
        return self.project.zddeploy(*words.splitlines()[0].split()).stdout


@pytest.fixture
def timer(project: Project) -> Timer:
    return Timer(project)


def text(project: Project) -> str:
    return (project.state / "nginx/nginx.conf").read_text()


def log(project: Project) -> Path:
    return project.state / "logs/access/access.log"


def page(body: bytes) -> Answered:
    """The version that a page says; what release that is the test knows."""
    return None, body.decode().removeprefix("<p>")


def test_without_a_timer_there_is_no_log_and_that_is_said_once(project: Project) -> None:
    site = Site(project)

    assert site.deploy(1).count("nginx logs no requests") == 1
    assert "nginx logs no requests" not in site.deploy(2)

    assert "nginx logs no requests" in project.zddeploy("check").stdout
    assert "nginx logs no requests" in project.zddeploy("logs", "--access", code=2).stderr
    assert "zdd_at" not in text(project)
    assert not log(project).parent.exists()


def test_logs_say_what_there_is_to_read_where_no_program_prints_anything(project: Project, timer: Timer) -> None:
    Site(project).deploy(1)

    told = project.zddeploy("logs").stderr
    assert "static services, which run no program: `zddeploy logs --access` says why there are no requests" in told
    assert "nginx's errors" not in told
    (project.state / "logs/nginx.log").write_text("failure\n")
    timer.enable()
    told = project.zddeploy("logs", "site").stderr
    assert "`zddeploy logs --access` shows requests" in told
    assert f"nginx's errors are in {project.state}/logs/nginx.log" in told
    assert project.zddeploy("logs", "--json").stderr == ""


def test_each_line_has_the_release_whose_page_it_was_over_deploys(project: Project, timer: Timer) -> None:
    site = Site(project)
    timer.enable()
    site.deploy(1)
    releases = {"1": project.status()["release"]}
    before, workers = text(project), nginx_workers(project)
    with visiting(project, Visitors(project, path="/", says=page)) as visitors:
        for number in ("2", "3", "4"):
            site.deploy(number)
            releases[number] = project.status()["release"]
        project.zddeploy("rollback")
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 200)

    visitors.answered = {call: (None, releases[version]) for call, (_, version) in visitors.answered.items()}
    lines = logged(project, visitors.answered)
    assert visitors.failed == []
    assert (text(project), nginx_workers(project)) == (before, workers)
    assert wrong(visitors, lines) == []
    assert share_known(visitors, lines) > 0.5
    assert {line["service"] for line in lines if line["release"] != UNKNOWN} == {"site"}
    assert sorted(line["id"] for line in lines) == sorted(visitors.answered), "what zdd asks is no visit"


def test_a_download_over_a_switch_has_the_release_whose_file_it_was(project: Project, timer: Timer) -> None:
    site = Site(project)
    timer.enable()
    site.deploy(1, pages={"large.bin": "1" * LARGE})
    first = project.status()["release"]
    with socket.create_connection(("127.0.0.1", project.port), timeout=60) as connection:
        connection.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = len(connection.recv(1))
        site.deploy(2, pages={"large.bin": "2" * LARGE})
        assert access(project) == [], "it is logged at its end"
        while more := connection.recv(1 << 20):
            got += len(more)

    assert got > LARGE
    eventually(lambda: access(project))
    assert [(line["service"], line["release"]) for line in access(project)] == [("site", first)]


def test_a_file_that_is_kept_of_an_earlier_release_has_no_release(project: Project, timer: Timer) -> None:
    site = Site(project)
    timer.enable()
    site.deploy(1)
    site.deploy(2)
    second = project.status()["release"]
    assert ask(project, f"/{HASHED.format(1)}").status == 200
    assert ask(project, f"/{HASHED.format(2)}").status == 200
    assert ask(project, "/missing").status == 404

    eventually(lambda: len(access(project, "site")) == 3)
    assert {line["path"]: (line["instance"], line["release"]) for line in access(project, "site")} == {
        f"/{HASHED.format(1)}": (None, None),
        f"/{HASHED.format(2)}": (None, second),
        "/missing": (None, second),
    }


def test_beside_an_app_each_line_has_its_own(project: Project) -> None:
    """An app has a keeper, so there is a log without any timer."""
    site = Site(project, service("web", **PLAIN, path="/about"))
    site.write("plain.py", (APPS / "plain.py").read_text())
    site.write("VERSION", "1")
    assert "nginx logs no requests" not in site.deploy(1)
    releases = {"1": project.status()["release"]}
    before, workers = text(project), nginx_workers(project)
    pages, apps = Visitors(project, path="/", says=page), Visitors(project)
    with visiting(project, pages), visiting(project, apps):
        for number in ("2", "3", "4"):
            site.deploy(number)
            releases[number] = project.status()["release"]
        known = len(pages.answered)
        eventually(lambda: len(pages.answered) > known + 200)

    pages.answered = {call: (None, releases[version]) for call, (_, version) in pages.answered.items()}
    lines = access(project)
    assert pages.failed + apps.failed == []
    assert (text(project), nginx_workers(project)) == (before, workers)
    for visitors in (pages, apps):
        assert wrong(visitors, lines) == []
        assert share_known(visitors, lines) > 0.5
    assert {line["service"] for line in access(project, "site")} == {"site"}
    assert {line["service"] for line in access(project, "web")} == {"web"}


def test_the_timer_rotates_the_log_and_no_line_is_lost(project: Project, timer: Timer) -> None:
    site = Site(project)
    project.replace("deploy.toml", "[zdd]", '[zdd]\nlog_max = "10K"')
    timer.enable()
    site.deploy(1)
    inode = log(project).stat().st_ino
    for number in range(60):
        ask(project, f"/a{number}")

    timer.run()

    older = log(project).with_name("access.log.1")
    eventually(lambda: log(project).stat().st_mode & 0o777 == 0o640)
    assert older.stat().st_ino == inode
    ask(project, "/later")
    eventually(lambda: "/later" in log(project).read_text())
    assert "/later" not in older.read_text()
    asked = sorted([*(f"/a{number}" for number in range(60)), "/later"])  # one worker may log before another
    eventually(lambda: sorted(line["path"] for line in access(project)) == asked)
    timer.run()
    assert older.stat().st_ino == inode, "a small log is left alone"


def test_the_log_of_failures_is_rotated_too(project: Project, timer: Timer) -> None:
    site = Site(project)
    project.replace("deploy.toml", "[zdd]", '[zdd]\nlog_max = "1K"')
    timer.enable()
    site.deploy(1)
    failures = project.state / "logs/nginx.log"
    failures.write_text("failure\n" * 1000)

    timer.run()

    assert failures.stat().st_size < 1000


def test_the_log_begins_and_ends_with_the_timer_by_one_verified_reload_each(project: Project, timer: Timer) -> None:
    site = Site(project)
    site.deploy(1)
    ask(project, "/before")
    timer.enable()

    assert "reloaded" in timer.run()
    assert timer.run() == ""
    ask(project, "/during")
    eventually(lambda: [line["path"] for line in access(project)] == ["/during"])
    workers = nginx_workers(project)
    site.deploy(2)
    assert nginx_workers(project) == workers

    timer.disable()
    assert "reloaded" in timer.run()
    assert timer.run() == ""
    size = log(project).stat().st_size
    assert ask(project, "/after").status == 404
    assert log(project).stat().st_size == size
    assert "access_log off;" in text(project)
    told = project.zddeploy("logs", "--access")
    assert "/during" in told.stdout
    assert "nginx logs no requests" in told.stderr
    workers = nginx_workers(project)
    site.deploy(3)
    assert nginx_workers(project) == workers


def test_the_timer_changes_nothing_of_what_was_edited_and_not_deployed(project: Project, timer: Timer) -> None:
    """The log on disk is bounded whatever today's file says, and nginx gets no text but that of the deploy."""
    site = Site(project)
    project.replace("deploy.toml", "[zdd]", '[zdd]\nlog_max = "1K"')
    timer.enable()
    site.deploy(1)
    before = text(project)
    project.replace("deploy.toml", "[nginx]", "[nginx]\naccess_log = false\nclient_max_body_size = 5")
    for number in range(20):
        ask(project, f"/a{number}")

    assert timer.run() == ""

    assert text(project) == before
    eventually(lambda: log(project).stat().st_size < 1000)
    project.replace("deploy.toml", "[nginx]", "[nginx")
    for number in range(20):
        ask(project, f"/b{number}")
    timer.run()
    eventually(lambda: log(project).stat().st_size < 1000)


def test_where_nothing_runs_the_timer_does_nothing(project: Project, timer: Timer) -> None:
    site = Site(project)
    timer.enable()
    assert timer.run() == ""
    assert not (project.runtime / "nginx.pid").exists()

    site.deploy(1)
    project.zddeploy("down")
    assert timer.run() == ""
    assert not (project.runtime / "nginx.pid").exists()
