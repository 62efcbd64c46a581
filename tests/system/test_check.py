"""check: every finding, brought about; and that nothing is changed by looking."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zdd.checks import machine
from zdd.host import process

from .classic import ClassicProject, snapshot
from .project import BIN, PLAIN, PLAIN_TCP, WORKER, Project, configure, service, template

WEB = service("web", **PLAIN, health_path="/")
ALONE = ["unshare", "--fork", "--pid", "--mount-proc"]  # no other nginx of this machine is seen
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def look(project: Project | ClassicProject, *before: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was found."""
    command = [*before, str(BIN / "zddeploy"), "check", "--json"]
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
    run = subprocess.run(command, cwd=project.folder, env=env, capture_output=True, text=True, check=False)
    assert run.stderr == "", run.stderr
    return run.returncode, json.loads(run.stdout)["findings"]


def told(project: Project | ClassicProject, level: str, words: str, *before: str) -> dict[str, Any]:
    """The one finding of this level that has these words; it says why it matters."""
    code, findings = look(project, *before)
    found = [one for one in findings if one["level"] == level and words in one["what"]]
    assert len(found) == 1, json.dumps(findings, indent=1)
    assert found[0]["why"]
    assert code == (2 if any(one["level"] == "error" for one in findings) else 0)
    return found[0]


def levels(project: Project | ClassicProject) -> set[str]:
    return {one["level"] for one in look(project)[1]}


@contextmanager
def small_disk(folder: Path, *options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([*options, "mode=755"]), "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_of_a_good_project_there_is_nothing_to_mend_before_and_after_its_deploy(project: Project) -> None:
    configure(project, WEB)

    for _ in range(2):
        code, findings = look(project)
        assert (code, [one for one in findings if one["level"] == "error"]) == (0, [])
        assert not {"nginx", "text", "ports", "access"} & {one["check"] for one in findings if one["level"] != "fine"}
        project.zddeploy()


def test_it_changes_nothing_and_leaves_no_process(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    files, processes = snapshot(project), set(process.parents())  # type: ignore[arg-type]

    project.zddeploy("check", code=None)

    assert snapshot(project) == files  # type: ignore[arg-type]
    left = [pid for pid in set(process.parents()) - processes if str(project.folder) in process.title(pid)]
    assert left == []


def nobody() -> list[str]:
    """What runs a command as an ordinary user."""
    found = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*found, BIN / "zddeploy", "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"other users may not run what is in {BIN}")
    return found


def test_before_the_first_deploy_it_makes_nothing(project: Project) -> None:
    configure(project, WEB)

    project.zddeploy("check")

    assert not project.state.exists()
    assert not project.runtime.exists()


def test_for_people_errors_come_last_and_each_says_how_to_mend_it(project: Project) -> None:
    configure(project, service("web", run="nosuch --fd {fd}"))

    shown = project.zddeploy("check", code=2).stdout.splitlines()

    mark = next(number for number, line in enumerate(shown) if line.startswith("x "))
    assert shown[mark].startswith("x web: nosuch is not in PATH")
    assert shown[mark + 2].startswith("    -> install it")
    assert not [line for line in shown[mark:] if line.startswith("! ")]
    assert shown[-1].endswith("1 error")


def test_a_configuration_that_cannot_be_read_is_an_error(project: Project) -> None:
    project.write("deploy.toml", "[service.web]\nrum = 1\n")

    assert "did you mean run?" in told(project, "error", "rum is not a known key")["what"]


def test_what_the_old_tool_passed_over_is_told_of(classic: ClassicProject) -> None:
    classic.configure(web={"watch": "yes"})

    told(classic, "warning", "ignored, because zdd does not know it: [service:web] watch")


@pytest.mark.parametrize(
    ("keys", "level", "words"),
    [
        ({"run": PLAIN["run"]}, "warning", "web: no health_path"),
        ({"run": "nosuch {fd}"}, "error", "web: nosuch is not in PATH"),
        ({"run": "./nosuch {fd}"}, "error", "/nosuch does not exist"),
        ({"run": "./VERSION {fd}"}, "error", "/VERSION cannot be executed"),
        ({"run": PLAIN["run"], "env_file": "no.env"}, "error", "cannot read env_file"),
        (PLAIN | {"memory_max": "100M"}, "warning", "memory_max and cpu_weight have no effect"),
        pytest.param(PLAIN, "warning", "web: running as root", marks=needs_root),
        (PLAIN_TCP, "warning", "web: each deploy closes idle connections"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_with_a_service_is_told(project: Project, keys: dict[str, str], level: str, words: str) -> None:
    if "memory_max" in keys and os.path.isdir("/run/systemd/system"):
        pytest.skip("systemd runs here, and sees to memory_max")
    configure(project, service("web", **keys), nginx='binary = "/usr/sbin/nginx"\n')

    told(project, level, words)


@needs_root
def test_code_that_its_user_does_not_get_to_is_an_error(project: Project) -> None:
    configure(project, service("web", **PLAIN, user="nobody", health_path="/"))
    (project.folder / "code").mkdir(mode=0o700)
    project.replace("deploy.toml", 'user = "nobody"', f'user = "nobody"\ncwd = "{project.folder}/code"')

    assert f"`chmod o+x {project.folder}/code`" in told(project, "error", "web: user nobody cannot pass")["mend"]
    refused = project.zddeploy(code=1).stderr
    assert "web: cannot enter" in refused
    assert "\n  user nobody must be able to pass every folder on the way there\n" in refused


def test_what_is_proved_by_a_command_is_not_said_to_be_healthy_with_any_answer(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_command="true"))

    said = project.zddeploy("check", code=None).stdout
    assert "no health_path" not in said
    assert "counts as healthy" not in said


def test_a_worker_needs_no_health_path(project: Project) -> None:
    configure(project, service("jobs", **WORKER))

    assert "no health_path" not in str(look(project))


def test_a_release_needs_its_source(project: Project) -> None:
    configure(project, f'[release]\nsource = "{project.folder}/nosuch.git"\n', WEB)
    told(project, "error", "/nosuch.git does not exist")

    project.replace("deploy.toml", f'"{project.folder}/nosuch.git"', '"ssh://host/shop.git"')
    without_git = {"PATH": f"{BIN}"}
    run = subprocess.run(
        [BIN / "zddeploy", "check"], cwd=project.folder, env=without_git, capture_output=True, text=True, check=False
    )
    assert "x git is not installed" in run.stdout


def test_a_program_of_the_live_release_is_looked_for_there(project: Project) -> None:
    project.write("code/run", "#!/bin/sh\nexec python -S ../../../plain.py $1\n").chmod(0o755)
    project.write("code/VERSION", "1")
    configure(project, '[release]\nsource = "code"\n', service("web", run="./run {fd}", health_path="/"))
    assert "error" not in levels(project)
    project.zddeploy()
    (project.state / "current/run").unlink()

    told(project, "error", "/run does not exist")


def test_an_nginx_that_is_missing_or_old_is_told_of(project: Project) -> None:
    configure(project, WEB, nginx='binary = "nginx"\n')
    told(project, "error", "is not a program that can be run")

    project.write("nginx", "#!/bin/sh\necho nginx version: nginx/1.18.0\n").chmod(0o755)
    told(project, "warning", "nginx 1.18.0 cannot limit how long it keeps connections")


def test_a_port_that_somebody_has_is_told_of_with_who(project: Project) -> None:
    configure(project, WEB)
    with socket.create_server(("0.0.0.0", project.port)):
        found = told(project, "error", f"port {project.port} is taken by process {os.getpid()}")
    assert "pytest" in found["what"] or "python" in found["what"]

    project.zddeploy()
    assert {
        "check": "ports",
        "level": "fine",
        "what": f"port {project.port}: nginx listens",
        "why": "",
        "mend": "",
    } in (look(project)[1])


@needs_root
def test_a_folder_that_nginx_cannot_pass_is_told_of(project: Project) -> None:
    configure(project, WEB)
    project.folder.chmod(0o700)

    assert "sudo install -d" in told(project, "error", f"cannot pass {project.folder} (mode 700)")["mend"]


TEMPLATES = [
    ("location / { proxy_pass http://web; }", "", "warning", "location /: proxy_pass to web: WebSockets cannot pass"),
    (
        "location / { proxy_pass http://web; }",
        "upstream x { server 127.0.0.1:{nosuch}; }",
        "error",
        "no service nosuch",
    ),
    ("", "", "warning", "the template does not mention web"),
    ("location / { proxy_pass http://web; }", "", "warning", "worker_connections is 512"),
]


@pytest.mark.parametrize(("locations", "http", "level", "words"), TEMPLATES, ids=[one[-1] for one in TEMPLATES])
def test_what_is_wrong_with_a_template_is_told(
    project: Project, locations: str, http: str, level: str, words: str
) -> None:
    configure(project, WEB, nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    template(project, locations, http, *(["web"] if locations else []))

    told(project, level, words)


def test_a_template_s_own_pool_and_pid_are_looked_at(project: Project) -> None:
    configure(project, WEB, nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    pool = "upstream web { {web.servers} }".replace("{web.servers}", "server {web}; keepalive 8;")
    template(project, "location / { proxy_pass http://web; }", pool)
    told(project, "error", "upstream web: keepalive has no short bounds")

    project.replace("nginx.conf.template", "pid {nginx_pid_filename};", "pid other.pid;")
    told(project, "error", "the template's pid is other.pid")
    project.replace("nginx.conf.template", "pid other.pid;", "")
    told(project, "error", "the template's pid is not set")


def foreign(project: Project, site: str) -> None:
    """A project behind an nginx of somebody else's, which reads main.conf."""
    binary = f"#!/bin/sh\necho nginx version: nginx/1.26.3\necho --conf-path={project.folder}/main.conf\n"
    project.write("nginx", binary).chmod(0o755)
    project.write("main.conf", f"events {{}} http {{ {site} }}")
    configure(project, WEB, nginx='binary = "nginx"\ninclude = "up/streams.conf"\nreload = "true"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    (project.folder / "up").mkdir()


@needs_root
def test_an_nginx_that_does_not_include_the_upstreams_is_told_of(project: Project) -> None:
    foreign(project, "server { location / { proxy_pass http://web; } }")
    assert (
        f"include {project.folder}/up/streams.conf;"
        in told(project, "error", "main.conf does not include", *ALONE)["mend"]
    )

    project.write("main.conf", "http { include up/*.conf; server { } }")
    assert "proxy_pass http://web;" in told(project, "warning", "no server block leads to web", *ALONE)["mend"]

    project.write("main.conf", "http { include up/*.conf; server { location / { proxy_pass http://web; } } }")
    assert not [one for one in look(project, *ALONE)[1] if one["level"] == "error"]
    told(project, "warning", "WebSockets cannot pass", *ALONE)


@needs_root
def test_a_main_configuration_that_cannot_be_read_and_a_folder_that_cannot_be_written_are_told_of(
    project: Project,
) -> None:
    foreign(project, "")
    (project.folder / "main.conf").unlink()
    (project.folder / "up").rmdir()

    told(project, "warning", "main.conf", *ALONE)
    told(project, "error", "cannot write", *ALONE)
    told(project, "warning", "web: no deploy can prove that visitors reach it")


@needs_root
def test_short_queues_and_few_open_files_are_told_of(project: Project) -> None:
    configure(project, WEB)

    limit = 'echo 128 > /proc/sys/net/core/somaxconn; ulimit -n 1000; exec "$0" "$@"'
    isolated = ["unshare", "--net", "sh", "-c", limit]
    told(project, "warning", "at most 128 connections can wait", *isolated)
    told(project, "warning", "at most 1000 files can be open", *isolated)


@needs_root
def test_a_port_of_root_s_is_told_of_to_others(project: Project) -> None:
    configure(project, WEB)
    project.replace("deploy.toml", f"127.0.0.1:{project.port}", "127.0.0.1:81")

    told(project, "error", "port 81 is root's, and you are nobody", "unshare", "--net", *nobody())


@needs_root
def test_a_disk_that_is_nearly_full_is_told_of(project: Project) -> None:
    configure(project, WEB)
    with small_disk(project.state, "size=8m"):
        told(project, "warning", "8 MB are free")
    with small_disk(project.state, "size=200m", "nr_inodes=1"):
        told(project, "error", "no inodes left")


@needs_root
def test_a_disk_without_room_for_one_more_release_is_an_error(project: Project) -> None:
    project.write("code/large", "x" * 5_000_000)
    shutil.copytree(Path(__file__).parent / "apps", project.folder / "code", dirs_exist_ok=True)
    project.write("code/VERSION", "1")
    configure(project, '[release]\nsource = "code"\n', WEB)
    with small_disk(project.state, "size=8m"):
        project.zddeploy()
        told(project, "error", "and the live release has 5 MB")
        project.zddeploy("down")


def test_memory_for_two_versions_is_compared_with_what_is_free() -> None:
    (tight,) = machine.for_two(used=1000 << 20, free=1050 << 20)
    (roomy,) = machine.for_two(used=1000 << 20, free=1200 << 20)

    assert (tight.level, roomy.level) == ("warning", "fine")
    assert tight.what == "a second version needs about 1,000 MB, and 1,050 MB are free"
    assert list(machine.for_two(used=0, free=0)) == []
    assert 0 < (machine.available() or 0) < 1 << 50


def test_what_one_version_uses_is_measured(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()

    assert any(one["check"] == "memory" and "one uses" in one["what"] for one in look(project)[1])


def test_what_status_finds_wrong_is_told_of(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    master = process.Process.find(int((project.runtime / "nginx.pid").read_text()))
    assert master is not None
    master.signal(9)
    assert master.wait(10)

    told(project, "warning", "nginx's master process has died")


@needs_root
def test_sudo_that_would_ask_for_a_password_is_told_of(project: Project) -> None:
    foreign(project, "")
    project.write("bin/sudo", "#!/bin/sh\nexit 1\n").chmod(0o755)
    project.replace("deploy.toml", 'reload = "true"', 'reload = "sudo nginx -s reload"')
    path = f"PATH={project.folder}/bin:{BIN}:{os.environ['PATH']}"

    told(project, "error", "sudo does not run `nginx -s reload`", "env", path, *nobody())


def test_what_no_gate_can_prove_is_told_beforehand(project: Project) -> None:
    configure(
        project,
        service("web", **PLAIN, host="~^shop", health_path="/"),
        service("slow", **PLAIN, path="/slow", health_path="/slow", health_timeout="90s"),
    )

    assert told(project, "warning", "web: no deploy can prove that visitors reach it")["mend"]
    assert "proxy_read_timeout" in told(project, "warning", "slow: health_timeout (90 s) is longer than nginx")["mend"]
