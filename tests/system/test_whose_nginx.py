"""Somebody else's nginx as people have it: other users, other namespaces, other hands on it. Needs root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process
from zdd.keeper import client
from zdd.load import Kind

from .at_load import BUSY
from .foreign_nginx import CONF, Foreign, configured, said, started, workers_of
from .project import MIXED, PLAIN, PLAIN_TCP, Project, assert_nothing_lost, configure, service, version

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces and run workers as others")


def quit_master(master: int) -> None:
    """Let a master of nginx end once its clients have their answers; wait for its end."""
    os.kill(master, signal.SIGQUIT)
    eventually(lambda: Process.find(master) is None)


def test_workers_that_run_as_another_user_are_told_of_and_let_in_by_up(project: Project, foreign: Foreign) -> None:
    """X8: nginx was stopped and started with another user, who may not connect to the sockets."""
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.lead()
    assert "web 1" in project.get()
    foreign.stop()
    foreign.start(user="games")
    assert "502 Bad Gateway" in project.get()

    words = "nginx's workers run as games, who cannot connect to web-1"
    assert words in said(project, "status", code=1)
    assert words in said(project, "check", code=2)
    assert "who could not connect to web-1; now they can" in said(project, "up", code=0)
    assert "web 1" in project.get()
    os.kill(project.serving()["web-1"], signal.SIGKILL)  # what the keeper makes from now on is open to them, too
    eventually(lambda: project.instances()["web-1"]["restarts"] == 1)
    assert "web 1" in project.get()
    project.zddeploy("status")


def test_an_include_that_another_hand_has_written_is_told_of_and_mended(project: Project, foreign: Foreign) -> None:
    """G12: every request is answered 502, and all commands said that all is well."""
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    project.write("upstreams.conf", "upstream web { server 127.0.0.1:1; }\n")
    foreign.lead()
    assert "502 Bad Gateway" in project.get()

    words = f"{project.folder}/upstreams.conf is not what zdd has written: somebody else has changed it"
    assert words in said(project, "status", code=1)
    assert words in said(project, "check", code=2)
    assert "is up already" not in said(project, "up", code=0)
    assert "web 1" in project.get()
    project.zddeploy("status")
    project.write("upstreams.conf", "upstream web { server 127.0.0.1:1; }\n")
    project.zddeploy()
    assert "web 1" in project.get()


def test_an_nginx_that_is_down_is_no_success(project: Project, foreign: Foreign) -> None:
    """X15: without a reload nobody noticed; `up` starts the apps all the same, for nginx may come later."""
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.stop()
    version(project, 2)

    assert "no nginx runs that would read" in said(project, code=2)
    assert list(project.serving()) == ["web-1"]
    assert "visitors get nothing" in said(project, "up", code=5)
    foreign.start()
    foreign.lead()
    assert "web 2" in project.get()
    project.zddeploy()


def test_an_nginx_that_does_not_see_the_sockets_is_refused_beforehand(project: Project, foreign: Foreign) -> None:
    """X9: PrivateTmp=yes, or a container: nginx has a mount namespace of its own, where the folder is empty."""
    runtime = project.runtime
    runtime.mkdir(mode=0o711)
    hide = f'mount --make-rprivate / && mount -t tmpfs none {runtime} && exec "$@"'
    foreign.start(within=["unshare", "-m", "sh", "-c", hide, "sh"])
    configured(project, foreign)

    words = said(project, code=2)

    assert f"nginx (process {foreign.master}) does not see {runtime}" in words
    assert "PrivateTmp=no" in words
    assert not (runtime / "current").exists()
    assert f"does not see {runtime}" in said(project, "check", code=2)


def test_a_program_that_was_replaced_is_asked_as_long_as_it_runs(project: Project, foreign: Foreign) -> None:
    """X12: the text was tested by the program on disk, which may not know what the running one was told."""
    master = foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.lead()
    running = project.status()["nginx"]["version"]
    other = project.write("other", '#!/bin/sh\necho "nginx version: nginx/1.31.9" >&2\nexit 1\n')
    other.chmod(0o755)
    os.rename(other, foreign.program)
    project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nbinary = "{foreign.program}"\n')

    assert project.status()["nginx"]["version"] == running
    words = said(project, "check", code=0)
    assert f"nginx (process {master}) runs a program that was replaced on disk" in words
    assert f"kill -USR2 {master}" in words


def test_an_nginx_in_another_network_is_counted_where_it_is(project: Project, foreign: Foreign) -> None:
    """X6: found without pid_file, and keepers counted in their own namespace: nobody was ever connected."""
    asking = asked_in_another_network(project, foreign)
    assert project.instances()["web-1"]["connections"] == 1
    version(project, 2)
    deploy = project.beside()
    eventually(lambda: "switched" in deploy.said())
    project.write("go", "")

    assert deploy.wait(60) == 0
    assert asking.communicate(timeout=30)[0].startswith("web 1")


def test_what_a_dead_keeper_has_left_is_counted_there_as_well(project: Project, foreign: Foreign) -> None:
    """A9: the command line counts for it, and counted in its own namespace."""
    asking = asked_in_another_network(project, foreign)
    keeper = client.pids(f"{project.runtime}/control/web-1.pids").keeper
    assert keeper
    keeper.signal(signal.SIGKILL)
    assert keeper.wait(30)
    assert project.instances()["web-1"]["connections"] == 1
    version(project, 2)
    deploy = project.beside()
    eventually(lambda: "switched" in deploy.said())
    project.write("go", "")

    assert deploy.wait(60) == 0
    assert asking.communicate(timeout=30)[0].startswith("web 1")


def asked_in_another_network(project: Project, foreign: Foreign) -> subprocess.Popen[str]:
    """Serve behind an nginx in a network of its own; returns who asks there, and is answered once `go` exists."""
    foreign.start(within=["unshare", "-n"])
    inside = ["nsenter", "-t", str(foreign.master), "-n"]
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    configured(project, foreign, pid_file=False)
    project.zddeploy()
    foreign.lead()
    url = f"http://127.0.0.1:{project.port}/slow/go"
    asking = subprocess.Popen([*inside, "curl", "-s", url], stdout=subprocess.PIPE, text=True)
    eventually(lambda: "is busy" in project.log("web-1.log"))
    return asking


def test_a_second_project_at_a_taken_port_is_told_whose_it_is(project: Project) -> None:
    """N10: both ways out are named, and nothing is touched."""
    second = Project()
    try:
        configure(project, service("web", **PLAIN))
        project.zddeploy()
        second.port = project.port
        configure(second, service("api", **PLAIN))
        owner = f"project R of root, {project.folder}/deploy.toml"

        for command in ("deploy", "check"):
            words = said(second, command, code=2)
            assert f"port {project.port} is taken by the nginx (process" in words
            assert f"{project.folder}/deploy.toml" in words, owner
            assert "`host` in that project" in words
            assert "include in [nginx]" in words
        assert not second.runtime.exists() or not (second.runtime / "current").exists()
    finally:
        second.end()


def test_an_include_of_another_project_that_lives_is_refused(project: Project, foreign: Foreign) -> None:
    """H9: each took the site from the other, and said that all is well."""
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    first = (project.folder / "upstreams.conf").read_text()
    assert first.startswith(f"# zdd shop uid 0 {project.runtime}\n")
    other = Project()
    try:
        configured(other, foreign)
        other.replace("deploy.toml", 'include = "upstreams.conf"', f'include = "{project.folder}/upstreams.conf"')

        words = said(other, code=2)

        assert "of root" in words
        assert f"{project.folder}/deploy.toml" in words
        assert (project.folder / "upstreams.conf").read_text() == first
        project.zddeploy("down")
        other.zddeploy()
    finally:
        other.end()


@pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
def test_while_the_program_is_replaced_only_a_deploy_without_a_reload_goes_on(
    project: Project, foreign: Foreign, run: dict[str, str]
) -> None:
    """X3: the old master's workers never got the new port: they answered 502 until somebody ended them."""
    old = foreign.start()
    configured(project, foreign, run=run)
    project.zddeploy()
    foreign.lead()
    os.kill(old, signal.SIGUSR2)
    eventually(lambda: Path(f"{foreign.pid_file}.oldbin").exists() and foreign.pid_file.exists())
    assert started(foreign.pid_file) != old
    new = foreign.master
    version(project, 2)
    try:
        if run is PLAIN:
            project.zddeploy()
            return
        words = said(project, code=2)
        assert f"processes {old} and {new} both take requests" in words
        assert f"kill -QUIT {old}" in words
        assert f"kill -HUP {old}; kill -QUIT {new}" in words
    finally:
        quit_master(old)
    project.zddeploy()
    assert "web 2" in project.get()


def test_two_nginx_that_include_the_file_are_not_guessed_at(project: Project, foreign: Foreign) -> None:
    """X5: without pid_file the only visible nginx was taken, or none."""
    foreign.start()
    configured(project, foreign, pid_file=False)
    project.zddeploy()
    second = project.folder / "second"
    second.mkdir()
    text = CONF.replace("FOLDER/nginx", f"{second}/nginx").replace("FOLDER", str(project.folder))
    conf = project.write("second/nginx.main", text.replace("USER", "www-data").replace("site*", "none*"))
    subprocess.run([foreign.program, "-c", str(conf)], check=True, capture_output=True, timeout=30)
    other = started(second / "nginx.pid")
    try:
        shown = json.loads(project.zddeploy("status", "--json").stdout.splitlines()[-1])
        assert shown["nginx"]["pid"] is None
        (note,) = [note for note in shown["notes"] if "nginx masters" in note]
        assert str(foreign.master) in note
        assert str(other) in note
        assert "set pid_file in [nginx]" in note
    finally:
        os.kill(other, signal.SIGTERM)
        eventually(lambda: Process.find(other) is None)
    assert project.status()["nginx"]["pid"] == foreign.master


def test_a_stranger_with_nginx_s_title_is_not_believed(project: Project, foreign: Foreign) -> None:
    """Any process can give itself that title, and a -c: its user would be let in to the sockets."""
    foreign.start()
    configured(project, foreign, pid_file=False)
    project.write("evil.conf", f"http {{ include {project.folder}/upstreams.conf; }}")
    title = f"nginx: master process nginx -c {project.folder}/evil.conf"
    argv = ["setpriv", "--reuid", "games", "--clear-groups", "bash", "-c", f"exec -a '{title}' cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as stranger:
        eventually(lambda: process.title(stranger.pid) == title)
        project.zddeploy()
        assert project.status()["nginx"]["pid"] == foreign.master
        foreign.stop()
        shown = project.status()
        assert shown["nginx"]["pid"] is None
        assert [note for note in shown["notes"] if f"process {stranger.pid} has nginx's title" in note]
        assert stranger.stdin
        stranger.stdin.close()


def test_load_is_not_lost_while_access_is_given_anew(project: Project, foreign: Foreign) -> None:
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    foreign.lead()
    foreign.stop()
    foreign.start(user="games")
    project.zddeploy("up")
    with project.load((*MIXED, Kind(path="/slow/0.3")), **BUSY) as load:
        version(project, 2)
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)


def test_an_include_of_zdd_0_1_is_known_by_its_slots(project: Project, foreign: Foreign) -> None:
    foreign.start()
    configured(project, foreign)
    project.zddeploy()
    text = (project.folder / "upstreams.conf").read_text().split("\n", 2)[2]
    project.write("upstreams.conf", "# Written by zddeploy for shop; what is changed here is lost.\n" + text)
    other = Project()
    try:
        configured(other, foreign)
        other.replace("deploy.toml", 'include = "upstreams.conf"', f'include = "{project.folder}/upstreams.conf"')

        assert f"{project.folder}/deploy.toml, which serves by it" in said(other, code=2)
        project.zddeploy()
    finally:
        other.end()


def test_our_own_text_is_put_back_as_well(project: Project) -> None:
    """G12, for zdd's own nginx."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    conf = project.state / "nginx/nginx.conf"
    before = conf.read_text()
    conf.write_text(before.replace("proxy_pass http://web;", "return 404;"))

    words = "nginx.conf is not what zdd has written: somebody else has changed it"
    assert words in said(project, "status", code=1)
    assert words in said(project, "check", code=2)
    project.zddeploy("up")
    assert conf.read_text() == before
    project.zddeploy("status")


def test_while_our_own_nginx_is_replaced_no_reload_is_tried(project: Project) -> None:
    """X3, for zdd's own nginx."""
    configure(project, service("web", **PLAIN_TCP, keep_warm="0s"))
    project.zddeploy()
    pid_file = project.runtime / "nginx.pid"
    old = int(pid_file.read_text())
    os.kill(old, signal.SIGUSR2)
    eventually(lambda: pid_file.read_text().strip() not in ("", str(old)))
    new = int(pid_file.read_text())
    eventually(lambda: workers_of(new))
    version(project, 2)
    try:
        assert f"processes {old} and {new} both take requests" in said(project, code=2)
    finally:
        quit_master(old)
    project.zddeploy()
    assert "web 2" in project.get()


def test_a_version_that_is_kept_warm_is_let_in_as_well(project: Project, foreign: Foreign) -> None:
    """X8: a rollback would lead visitors to it."""
    foreign.start()
    configured(project, foreign)
    project.replace("deploy.toml", 'keep_warm = "0s"', 'keep_warm = "60s"')
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    foreign.lead()
    foreign.stop()
    foreign.start(user="games")

    assert "who could not connect to web-1, web-2; now they can" in said(project, "rollback", code=0)
    assert "web 1" in project.get()
