"""Reloads beside those of somebody else, and of texts that take long to read: the one that counts is waited for."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from tests.waiting import eventually
from zdd.host import process

from .at_load import BUSY
from .project import HEAD, PLAIN_TCP, Project, assert_only_reloads_cost, configure, service, version
from .slow_nginx import SlowNginx, waits

pytestmark = pytest.mark.usefixtures("each_nginx")
SITE = (
    HEAD
    + """\
    {zdd.mark}
    include FOLDER/slow.conf*;
    upstream web { server 127.0.0.1:{web}; }
    server { listen 127.0.0.1:PORT; server_name shop.test; location / { proxy_pass http://web; } }
}
"""
)


@pytest.fixture(params=["with the mark", "without"])
def shop(project: Project, request: pytest.FixtureRequest) -> Project:
    """A service whose every deploy needs a reload, and whose old instances are stopped at once."""
    web = service("web", **PLAIN_TCP, keep_warm="0s", health_host="shop.test", health_path="/")
    configure(project, web)
    text = SITE.replace("PORT", str(project.port)).replace("FOLDER", str(project.folder))
    project.write("nginx.conf.template", text if request.param == "with the mark" else text.replace("{zdd.mark}", ""))
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')
    project.zddeploy()
    return project


def quick_test(project: Project) -> None:
    """Let only the running nginx take long to read its text, and not the test of a text."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    empty = f"unshare -m sh -c 'mount --bind /dev/null {project.folder}/slow.conf; exec {nginx} \"$@\"' sh"
    project.write("nginx", f'#!/bin/sh\ncase "$*" in *-t*) exec {empty} "$@";; esac\nexec {nginx} "$@"\n').chmod(0o755)
    project.replace("deploy.toml", "[nginx]\n", '[nginx]\nbinary = "nginx"\n')


def master(project: Project) -> int:
    return int((project.runtime / "nginx.pid").read_text())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")
def test_somebody_elses_reload_just_before_ours_does_not_pass_for_it(shop: Project) -> None:
    quick_test(shop)
    with SlowNginx(shop.folder / "slow.conf", 3), shop.load(host="shop.test", **BUSY) as load:
        for number in (2, 3):
            version(shop, number)
            deploy = shop.beside()
            time.sleep(0.1)
            os.kill(master(shop), signal.SIGHUP)
            assert deploy.wait(60) == 0, deploy.said()
        time.sleep(3)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2", "3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces")
@pytest.mark.parametrize("slow", ["the test", "the reload"])
def test_a_signal_is_obeyed_while_nginx_reads_a_long_text(shop: Project, slow: str) -> None:
    if slow == "the reload":
        quick_test(shop)
    with SlowNginx(shop.folder / "slow.conf", 3600) as nginx:
        version(shop, 2)
        deploy = shop.beside("--json")
        eventually(lambda: nginx_reads(shop, master(shop) if slow == "the reload" else None))

        deploy.send_signal(signal.SIGINT)

        eventually(lambda: '"event":"failed"' in deploy.said())
        nginx.seconds = 0.0  # what is undone is read again
        assert deploy.wait(60) == 1
        assert "web 1" in shop.get(host="shop.test")
        shop.zddeploy()
        assert "web 2" in shop.get(host="shop.test")

    assert "zddeploy: interrupted by SIGINT\n" in deploy.said()
    assert "deploy 1 still serves" in deploy.said()


def nginx_reads(project: Project, master: int | None) -> bool:
    """Whether this nginx waits for the slow file, or else one that tests a text."""
    titles = {pid: process.title(pid) for pid in process.parents()}
    testing = [pid for pid, title in titles.items() if " -t " in title and f"{project.folder}/" in title]
    return any(map(waits, testing if master is None else [master]))


@pytest.mark.matrix
def test_a_text_that_takes_longer_to_read_than_any_patience_is_waited_for(shop: Project) -> None:
    """The old instance stays until it is known which text runs."""
    with SlowNginx(shop.folder / "slow.conf", 12), shop.load(host="shop.test", **BUSY) as load:
        version(shop, 2)
        shop.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]
