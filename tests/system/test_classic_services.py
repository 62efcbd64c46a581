"""Several services in one project, and instances that are known by their pid files only."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.waiting import eventually
from zdd.host.process import Process

from .classic import ClassicProject, bystander, light_load, web

BOTH: dict[str, dict[str, str]] = {"web": {}, "mail": {}}


def test_several_services_start_together_and_switch_together(classic: ClassicProject) -> None:
    classic.configure(**BOTH)
    classic.zddeploy()
    assert "web 1" in classic.get("/")
    assert "mail 1" in classic.get("/mail")
    classic.configure(web={}, mail={"start": classic.held("mail")})
    classic.release("2")

    with light_load(classic, reloads=True), classic.deploying() as deploy:
        eventually(lambda: "web 2 starts" in classic.log("web-2.log"))
        time.sleep(0.2)
        assert "web 1" in classic.get("/"), "web is ready, but mail is not"
        classic.let_start()
        assert deploy.wait(60) == 0

    assert "web 2" in classic.get("/")
    assert "mail 2" in classic.get("/mail")


@pytest.mark.parametrize("broken", ["web", "mail"])
def test_one_of_two_that_fails_undoes_both(classic: ClassicProject, broken: str) -> None:
    classic.configure(**BOTH)
    classic.zddeploy()
    before = classic.traces()
    classic.release("2")
    classic.configure(**(BOTH | {broken: {"start": "sh -c 'sleep 0.5; exit 1'"}}))

    with light_load(classic):
        result = classic.zddeploy(code=1)

    assert f"zddeploy: {broken}: " in result.stderr
    assert classic.traces() == before
    assert "web 1" in classic.get("/")
    assert "mail 1" in classic.get("/mail")


def test_one_service_can_be_deployed_alone(classic: ClassicProject) -> None:
    classic.configure(**BOTH)
    classic.zddeploy()
    mail = classic.pid("mail")
    classic.release("2")

    classic.zddeploy("deploy", "web")

    assert "web 2" in classic.get("/")
    assert "mail 1" in classic.get("/mail")
    assert classic.pid("mail") == mail


def test_a_stale_pid_file_that_names_somebody_else_is_neither_signalled_nor_adopted(classic: ClassicProject) -> None:
    with bystander() as pid:
        for name in ("web.pid", "web.current.pid"):
            classic.write(name, f"{pid}\n")
        classic.write(f"{pid}.port", f"{classic.port}\n")  # where in the end nginx listens, and not the bystander
        for version in "12":
            classic.release(version)
            classic.zddeploy()
        assert f"web {version}" in classic.get()
        assert "web-1" in classic.log("deploy-1.log"), "an adopted instance would have had this name"
        classic.zddeploy("down")


@contextlib.contextmanager
def left_by_an_earlier_zdd(project: ClassicProject) -> Iterator[int]:
    """An instance and an nginx as a zdd of 2011 left them: pid files, and nothing else; gives the instance's pid."""
    with subprocess.Popen(shlex.split(web("web")), cwd=project.folder, stdout=subprocess.DEVNULL) as child:
        try:
            eventually(lambda: (project.folder / "web.pid").exists())
            project.write("web.current.pid", f"{child.pid}\n")
            port = (project.folder / f"{child.pid}.port").read_text().strip()
            text = (project.folder / "nginx.conf.template").read_text()
            text = text.replace("{nginx_pid_filename}", f"{project.folder}/nginx.pid").replace("{web}", port)
            config = project.write("nginx.conf", text)
            subprocess.run(["/usr/sbin/nginx", "-p", project.folder, "-c", config], check=True)
            eventually(lambda: "web 1" in project.get())
            yield child.pid
        finally:
            child.kill()


def test_an_instance_that_an_earlier_zdd_left_serving_is_replaced_and_stopped(classic: ClassicProject) -> None:
    with left_by_an_earlier_zdd(classic) as pid:
        master = classic.nginx_pids()[0]
        classic.release("2")

        with light_load(classic, reloads=True):
            classic.zddeploy()

        assert "web 2" in classic.get()
        assert classic.nginx_pids()[0] == master
        assert int((classic.folder / "web.previous.pid").read_text()) == pid
        eventually(lambda: Process.find(pid) is None)


def test_an_instance_that_an_earlier_zdd_left_serving_survives_a_failed_deploy(classic: ClassicProject) -> None:
    with left_by_an_earlier_zdd(classic) as pid:
        pid_files = {path: path.read_text() for path in classic.folder.glob("*.p*")}
        classic.configure(web={"start": "sh -c 'exit 1'"})

        with light_load(classic):
            classic.zddeploy(code=1)

        assert "web 1" in classic.get()
        assert {path: path.read_text() for path in classic.folder.glob("*.p*")} == pid_files
        assert Process.find(pid)


def test_a_server_that_unlinks_its_own_pid_file_is_remembered(classic: ClassicProject) -> None:
    classic.zddeploy()
    first = classic.pid()
    (classic.folder / "web.pid").unlink()
    classic.release("2")

    classic.zddeploy()

    assert int((classic.folder / "web.previous.pid").read_text()) == first
    assert classic.pid() != first
    eventually(lambda: Process.find(first) is None)


def test_a_configuration_from_2011_works_and_is_warned_of_once(classic: ClassicProject) -> None:
    zdd = "\n".join(f"{key}: {value}" for key, value in classic.places.items())
    classic.write(
        "deploy.conf",
        f"""\
[DEFAULT]
root: {classic.folder}
nice: 10

[zdd]
{zdd}

[nginx]
template: %(root)s/nginx.conf.template
pid_file = %(root)s/nginx.pid
colour: blue

[service:web]
pid_file: %(root)s/web.pid
start: {web("web")}
stop: kill -15       ; the default
watch: yes

[supervisor]
port: 9001
""",
    )

    first = classic.zddeploy()
    classic.release("2")
    second = classic.zddeploy()

    for result in (first, second):
        assert [line for line in (result.stdout + result.stderr).splitlines() if "ignored" in line] == [
            f"{classic.folder}/deploy.conf: ignored, because zdd does not know it: "
            "[nginx] colour; [service:web] watch; [supervisor]"
        ]
    assert "web 2" in classic.get()


def test_a_service_may_run_in_another_folder(classic: ClassicProject) -> None:
    classic.write("app/VERSION", "elsewhere")
    classic.configure(web={"cwd": "app", "pid_file": "app/web.pid"})

    classic.zddeploy()

    assert "web elsewhere" in classic.get()
    assert (classic.folder / "app/web.current.pid").exists()
