"""Pid and port files, start and stop commands, one service and several."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .site import WEB, Site, await_end, eventually, lives, servers, start, title

MAIL = WEB.replace("    server {\n", "    upstream mail {\n        {mail.servers}\n    }\n    server {\n", 1).replace(
    "location / {", "location /mail { proxy_pass http://mail; }\n        location / {"
)


@contextlib.contextmanager
def running(command: str, cwd: Path | None = None) -> Iterator[int]:
    """A process that zdd has not started."""
    with subprocess.Popen(shlex.split(command), cwd=cwd) as child:
        try:
            yield child.pid
        finally:
            child.kill()


def test_the_three_pid_files_and_the_port_file_tell_which_instance_is_which(site: Site) -> None:
    site.deploy()
    first = site.number("web.pid")
    assert site.number("web.current.pid") == first
    assert not (site.folder / "web.previous.pid").exists()
    assert f"127.0.0.1:{site.number(f'{first}.port')};".encode() in site.conf()

    site.deploy()
    second = site.number("web.pid")
    assert site.number("web.current.pid") == second != first
    assert site.number("web.previous.pid") == first
    assert f"127.0.0.1:{site.number(f'{second}.port')};".encode() in site.conf()
    await_end(first)

    site.deploy()
    assert site.number("web.previous.pid") == second
    assert lives(site.number("web.current.pid"))


@pytest.mark.parametrize("option", ["--daemon", "--pid-first", "--spaces", "--links"])
def test_files_are_read_however_a_server_writes_them(site: Site, option: str) -> None:
    site.configure(web={"start": start("web", option)})
    site.deploy()
    first = site.number("web.pid")
    site.release("2")

    site.deploy()

    assert site.get().endswith("web 2\n")
    assert site.number("web.previous.pid") == first
    assert site.number("web.current.pid") == site.number("web.pid")
    await_end(first)


def test_a_server_that_removes_its_own_pid_file_is_remembered(site: Site) -> None:
    site.deploy()
    first = site.number("web.pid")
    (site.folder / "web.pid").unlink()

    site.deploy()

    assert site.number("web.previous.pid") == first
    await_end(first)


def test_a_stale_pid_file_is_nobody_to_signal(site: Site) -> None:
    with running("sleep 600") as bystander:
        for name in ("web.pid", "web.current.pid"):
            site.write(name, f"{bystander}\n")
        site.write(f"{bystander}.port", f"{site.port}\n")

        for version in "12":
            site.release(version)
            site.deploy()
            assert site.get().endswith(f"web {version}\n")

        assert lives(bystander)


def test_an_instance_and_an_nginx_that_the_zdd_of_2011_left_running_are_taken_over(site: Site) -> None:
    with running(start("web"), site.folder) as old:
        eventually((site.folder / "web.pid").exists)
        site.write("web.current.pid", f"{old}\n")
        text = (site.folder / "nginx.conf.template").read_text()
        text = text.replace("{web}", str(site.number(f"{old}.port")))
        conf = site.write("nginx.conf", text.replace("{nginx_pid_filename}", f"{site.folder}/nginx.pid"))
        path = f"{os.environ['PATH']}:/usr/sbin"
        subprocess.run(["nginx", "-p", site.folder, "-c", conf], env=os.environ | {"PATH": path}, check=True)
        eventually(lambda: site.get().endswith("web 1\n"))
        master = site.number("nginx.pid")
        site.release("2")

        with site.visited():
            site.deploy()

        assert site.get().endswith("web 2\n")
        assert (site.number("nginx.pid"), site.reloads()) == (master, 1)
        assert site.number("web.previous.pid") == old
        await_end(old)


def test_start_runs_in_the_folder_with_the_environment_and_umask_of_the_caller_and_without_a_shell(site: Site) -> None:
    shown = "sh -c 'env > seen; umask >> seen; pwd >> seen; exec \"$@\"' sh"
    site.configure(web={"start": f"{shown} {start('web')} $COLOUR"})
    before = os.umask(0o027)
    try:
        site.deploy("-c", str(site.file), cwd=Path("/"), COLOUR="blue")
    finally:
        os.umask(before)

    seen = (site.folder / "seen").read_text().splitlines()
    assert "COLOUR=blue" in seen
    assert seen[-2:] == ["0027", str(site.folder)]
    assert "$COLOUR" in title(site.number("web.pid")).split()


def test_stop_gets_the_pid_as_its_last_word_and_runs_in_the_folder(site: Site) -> None:
    site.configure(web={"stop": 'sh -c \'pwd > stopped; echo "$0" "$@" >> stopped; kill -TERM "$2"\' one two'})
    site.deploy()
    first = site.number("web.pid")

    site.deploy()

    await_end(first)
    assert (site.folder / "stopped").read_text().split() == [str(site.folder), "one", "two", str(first)]


def test_a_stop_script_that_sleeps_is_not_waited_for_and_keeps_its_instance(site: Site) -> None:
    sleeping = "sh -c 'while test ! -e go; do sleep 0.05; done; kill -TERM $0'"
    site.configure(web={"stop": sleeping, "drain_timeout": "0.5"})
    old: list[int] = []
    for version in "123":
        site.release(version)
        site.deploy()
        assert site.get().endswith(f"web {version}\n")
        assert all(lives(pid) for pid in old), "an instance lives until its own stop command ends it"
        old.append(site.number("web.pid"))

    site.write("go", "")

    await_end(old[0])
    await_end(old[1])
    assert lives(old[2])


def test_several_services_are_switched_by_one_reload(site: Site) -> None:
    site.configure(web={}, mail={})
    site.template(MAIL)
    site.deploy()
    old = {name: site.number(f"{name}.pid") for name in ("web", "mail")}
    held = f"sh -c 'while test ! -e go; do sleep 0.05; done; exec \"$@\"' sh {start('mail')}"
    site.configure(web={}, mail={"start": held})
    site.release("2")

    with site.visited(), subprocess.Popen(["sh", "-c", f"sleep 1; touch {site.folder}/go"]):
        site.deploy()

    assert site.reloads() == 1
    for name, path in (("web", "/"), ("mail", "/mail")):
        assert site.get(path).endswith(f"{name} 2\n")
        assert site.number(f"{name}.previous.pid") == old[name] != site.number(f"{name}.current.pid")
        await_end(old[name])
    assert servers(site.port_of("mail")).encode() in site.conf()


@pytest.mark.parametrize("broken", ["web", "mail"])
def test_one_of_several_services_that_fails_changes_nothing(site: Site, broken: str) -> None:
    site.configure(web={}, mail={})
    site.template(MAIL)
    site.deploy()
    files, processes = site.files(), site.processes()
    site.release("2")
    services: dict[str, dict[str, str]] = {"web": {}, "mail": {}}
    site.configure(**(services | {broken: {"start": "sh -c 'sleep 0.5; exit 1'"}}))

    with site.visited():
        site.deploy(code=1)

    assert (site.files(), site.processes(), site.reloads()) == (files, processes, 0)
    assert site.get("/").endswith("web 1\n")
    assert site.get("/mail").endswith("mail 1\n")


def test_a_port_on_which_nobody_listens_is_never_given_to_nginx(site: Site) -> None:
    site.deploy()
    files, processes = site.files(), site.processes()
    deaf = "sh -c 'echo 1 > $$.port; echo $$ > web.pid; sleep 600'"
    site.configure(web={"start": deaf, "start_timeout": "1"})

    site.deploy(code=1)

    assert (site.files(), site.processes(), site.reloads()) == (files, processes, 0)
    assert site.get().endswith("web 1\n")
