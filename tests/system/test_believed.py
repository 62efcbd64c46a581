"""What root reads, runs and shows although another user has written it: it gives that user nothing. Needs root."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.waiting import eventually

from . import code
from .project import BIN, Project, configure, service, template, version
from .stranger import MALLORY, PYTHON, attacking, give, needs_root

pytestmark = needs_root

WEB = {"run": f"{PYTHON} -S plain.py {{fd}}", "user": MALLORY.pw_name, "keep_warm": "0s"}

# Reads what he can of a file, wherever it is below a folder, until he has it.
WATCH = """
import os, sys
folder, wanted = sys.argv[1:]
print("ready", flush=True)
while True:
    for where, _, names in os.walk(folder):
        for name in names:
            if name == wanted:
                try:
                    print("has read", open(os.path.join(where, name)).read(10), flush=True)
                    sys.exit()
                except OSError:
                    pass
"""


def test_a_secret_of_a_source_cannot_be_read_while_it_is_copied(project: Project) -> None:
    """S10: a file of mode 0600, so large that its copy takes its time."""
    configure(project, service("web", **WEB), state_dir=str(project.state))
    source = project.folder / "source"
    for name in ("plain.py", "VERSION"):
        project.write(f"source/{name}", (project.folder / name).read_text())
    project.write("source/secret-of-root", "the secret" + "x" * (100 << 20)).chmod(0o600)
    with (project.folder / "deploy.toml").open("a") as file:
        file.write(f'[release]\nsource = "{source}"\n')

    with attacking(WATCH, project.state, "secret-of-root") as attack:
        for _ in range(3):
            project.zddeploy()
        assert attack.poll() is None, "he has read it"
    assert [path for path in project.state.rglob("secret-of-root") if path.stat().st_mode & 0o077] == []


# S12

HOOKED = 'before_start = """env > {folder}/hook"""\n'


def hooked(project: Project, path: str, **web: str) -> Path:
    """A project whose hook is root's, and an env_file with what a loader reads."""
    configure(project, service("web", **WEB | {"env_file": path} | web))
    project.replace("deploy.toml", "[zdd]\n", "[zdd]\n" + HOOKED.format(folder=project.folder))
    return project.write(path, "LD_PRELOAD=/no/such.so\nCOLOUR=red\n")


@pytest.mark.parametrize("how", ["file", "folder"])
def test_hooks_of_root_get_nothing_that_an_app_can_write(project: Project, how: str) -> None:
    path = hooked(project, "conf/env")
    give(path if how == "file" else path.parent)

    for command in ("check", "deploy"):
        done = project.zddeploy(command, code=2)
        said = " ".join((done.stdout + done.stderr).split())
        assert f"web: env_file {path} can be changed by others than root" in said
        assert "before_start of [zdd] would be run by root with what it says" in said
        assert f"`chown root {path}`" in said
    assert not (project.folder / "hook").exists()


def test_an_app_of_roots_gets_nothing_that_another_user_can_write(project: Project) -> None:
    path = project.write("conf/env", "LD_PRELOAD=/no/such.so\n")
    give(path)
    configure(project, service("web", **{k: v for k, v in WEB.items() if k != "user"}, env_file="conf/env"))

    assert "the app would be run by root with what it says" in " ".join(project.zddeploy(code=2).stderr.split())


def test_an_app_may_write_what_only_it_gets(project: Project) -> None:
    configure(project, service("web", **WEB, env_file="conf/env"))
    give(project.write("conf/env", "COLOUR=red\n"))

    project.zddeploy()

    assert '"COLOUR": "red"' in project.get("/about")


def test_what_the_loader_reads_reaches_the_app_and_no_hook_of_roots(project: Project) -> None:
    hooked(project, "conf/env")
    project.write("conf/env", "LD_LIBRARY_PATH=/srv/app/lib\nCOLOUR=red\n")

    project.zddeploy()

    assert "COLOUR=red" in (project.folder / "hook").read_text()
    assert "LD_LIBRARY_PATH" not in (project.folder / "hook").read_text()
    assert '"LD_LIBRARY_PATH": "/srv/app/lib"' in project.get("/about")


def test_who_owns_the_configuration_may_own_the_env_file(project: Project) -> None:
    """He could write hooks of root's anyway."""
    path = hooked(project, "conf/env")
    project.write("conf/env", "COLOUR=red\n")
    give(project.folder, project.folder / "deploy.toml", path.parent, path)

    project.zddeploy()
    said = " ".join(project.zddeploy("check").stdout.split())
    assert "others than root can change it" in said

    assert "COLOUR=red" in (project.folder / "hook").read_text()


# S13


def test_what_only_looks_runs_no_program_of_another_users(project: Project) -> None:
    ran = project.folder / "ran"
    nginx = project.write("opt/nginx", f'#!/bin/sh\nid -un >> {ran}\nexec nginx "$@"\n')
    nginx.chmod(0o755)
    configure(project, service("web", **WEB), nginx=f'binary = "{nginx}"\n')
    give(nginx.parent, nginx)

    checked = " ".join(project.zddeploy("check", code=2).stdout.split())
    for command in ("status", "config", "history", "logs"):
        project.zddeploy(command, code=None)

    assert f"{nginx} can be changed by others than root ({nginx.parent}): root does not run it to look at it" in checked
    assert not ran.exists()
    said = " ".join(project.zddeploy().stdout.split())
    assert f"root runs {nginx}, which others can change ({nginx.parent})" in said
    ran.unlink()
    assert project.status()["state"] == "serving"
    assert not ran.exists()


# S14

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b[31mred\u202e"
ESCAPES = f"""
import sys
print({ESCAPE!r}, flush=True)
body = {ESCAPE!r}.encode()
import socket
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    try:
        connection.recv(10000)
        connection.sendall(b"HTTP/1.1 503 No\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    except OSError:
        pass
    connection.close()
"""


def on_a_terminal(project: Project, *args: str) -> str:
    """Run zddeploy on a terminal; return all that gets there, less the styles of zdd's own."""
    ours, theirs = pty.openpty()
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "TERM": "xterm", "NO_COLOR": "1"}
    command = [str(BIN / "zddeploy"), *args]
    with subprocess.Popen(command, cwd=project.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
        child.wait()
    os.close(ours)
    return shown.decode().replace("\r\x1b[K", "")


def test_nothing_that_an_app_prints_or_answers_does_anything_to_a_terminal(project: Project) -> None:
    configure(project, service("web", **WEB | {"run": f"{PYTHON} -S escapes.py {{fd}}"}, start_timeout="4s"))
    project.write("escapes.py", ESCAPES)

    shown = {
        "deploy": on_a_terminal(project, "--label", ESCAPE),
        "history": on_a_terminal(project, "history"),
        "status": on_a_terminal(project, "status"),
        "logs": on_a_terminal(project, "logs"),
        "history as JSON": on_a_terminal(project, "history", "--json"),
        "logs as JSON": on_a_terminal(project, "logs", "--json"),
    }

    for command, text in shown.items():
        assert [found for found in "\x1b\x07\x9b\u202e" if found in text] == [], command
    for command in ("deploy", "history", "logs"):
        assert r"\x1b]0;owned\x07" in shown[command], command
    assert "\x1b" not in (project.state / "logs/deploy-1.log").read_text()


# S15


def test_a_private_template_gives_a_private_text(project: Project) -> None:
    configure(project, service("web", **WEB))
    template(project, "location / { proxy_pass http://web; } # token", "", "web")
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"', 'template = "nginx.conf.template"')
    (project.folder / "nginx.conf.template").chmod(0o600)

    project.zddeploy()

    private = [project.folder / "nginx.conf", *project.runtime.rglob("nginx.before"), project.state / "nginx.told"]
    assert {path.name: path.stat().st_mode & 0o077 for path in private} == {path.name: 0 for path in private}


def test_the_log_of_a_fetch_is_its_owners(project: Project) -> None:
    code.configure(project)
    project.zddeploy()

    assert (project.state / "repo.git.log").stat().st_mode & 0o777 == 0o600


ODD = {
    "HTTP/1.1 2\xb20 OK": "the answer is not HTTP",
    "HTTP/1.1 \xb2 OK": "the answer is not HTTP",
    "HTTP/1.1 " + "2" * 5000: "the answer is not HTTP",
    "HTTP/1.1 503 No\r\nContent-Length: " + "9" * 5000: "answered 503",
    "HTTP/1.1 302 Found\r\nLocation: http://[bad/": "which is no URL",
    "HTTP/1.1 302 Found\r\nLocation: http://\xb2:99999999/": "302",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff": "",
}


@pytest.mark.parametrize("number", range(len(ODD)))
def test_no_answer_of_an_app_is_a_mistake_of_zdd(project: Project, number: int) -> None:
    answer, words = list(ODD.items())[number]
    head = (answer + "\r\n\r\n").encode("latin-1")
    odd = ESCAPES.replace(f"print({ESCAPE!r}, flush=True)\n", "").replace(
        'b"HTTP/1.1 503 No\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body', repr(head)
    )
    assert repr(head) in odd
    run = f"{PYTHON} -S odd.py {{fd}}"
    configure(project, service("web", **WEB | {"run": run}, start_timeout="4s", health_path="/"))
    project.write("odd.py", odd)

    done = project.zddeploy(code=1 if words else None)

    assert words in done.stderr
    assert "mistake" not in done.stderr
    if not words:
        version(project, 2)
        eventually(lambda: "mistake" not in project.zddeploy(code=None).stderr)
