"""The access log: each line has the version that has answered, or none; and no line is lost."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.waiting import eventually
from zdd.host import acl
from zdd.nginx.access_log import UNKNOWN

from ..pages import DOCS, Page
from .at_load import behind_template
from .project import BIN, PLAIN, PLAIN_TCP, Project, configure, nginx_workers, service, version
from .stranger import PYTHON
from .visitors import access, await_answer_of, logged, share_known, visiting, wrong

WEB = service("web", **PLAIN, keep_warm="0s")
GUIDE = next(iter(Page(DOCS / "guides/access-log.md").section("With an nginx or a template of your own"))).text
KILLED = """\
import os, runpy, signal, sys
from zdd.host import json_lines
append = json_lines.append
def killed(path, line):
    if "to" in line:
        os.kill(os.getpid(), signal.SIGKILL)
    append(path, line)
json_lines.append = killed
sys.argv = ["zddeploy"]
runpy.run_module("zdd", run_name="__main__")
"""
MEDDLES = """\
import os, sys
folder, log = sys.argv[1], sys.argv[1] + "/access.log"
logs = os.path.dirname(folder)
for attempt in (
    *(lambda name=name: open(logs + "/" + name) for name in sys.argv[2:]),
    lambda: os.listdir(logs),
    lambda: os.listdir(folder),
    lambda: os.symlink("/etc/passwd", folder + "/access.log.2"),
    lambda: os.rename(log, folder + "/other"),
    lambda: os.unlink(log),
):
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit("it may do what it must not")
with open(log, "ab") as file:
    file.write(b'\\x1b]0;title\\x07 no JSON\\n')
    file.write(b'{"msec":"1.000","seconds":"0.000","status":"200","host":"\\\\u001b]0;title\\\\u0007","slots":""}\\n')
    file.truncate(1 << 40)
os.chmod(log, 0)
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run nginx's workers as another user")


@pytest.fixture
def site(project: Project) -> Project:
    configure(project, service("web", **PLAIN, instances=2, keep_warm="0s"), "[release]\nsource = 'code'\n")
    (project.folder / "code").mkdir()
    for name in ("plain.py", "VERSION"):
        (project.folder / name).rename(project.folder / "code" / name)
    project.zddeploy()
    return project


def text(project: Project) -> str:
    return (project.state / "nginx/nginx.conf").read_text()


def folder(project: Project) -> Path:
    return project.state / "logs/access"


def test_each_line_has_the_version_that_has_answered_over_deploys_and_a_rollback(site: Project) -> None:
    before, workers = text(site), nginx_workers(site)
    with visiting(site) as visitors:
        for number in (2, 3, 4):
            site.write("code/VERSION", str(number))
            site.zddeploy()
        site.zddeploy("rollback")
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 300)

    lines = logged(site, visitors.answered)
    assert visitors.failed == []
    assert (text(site), nginx_workers(site)) == (before, workers)
    assert wrong(visitors, lines) == []
    assert share_known(visitors, lines) > 0.5
    asked = [line["id"] for line in lines if line["id"].startswith("visit/")]
    assert sorted(asked) == sorted(visitors.answered)
    assert len({line["release"] for line in lines if line["instance"] != UNKNOWN}) >= 4
    log = (folder(site) / "access.log").read_text()
    assert "secret" not in log


@pytest.mark.parametrize("keys", [PLAIN_TCP, PLAIN], ids=["tcp", "stop-first"])
def test_each_line_is_right_also_where_nginx_is_reloaded_or_a_version_is_refused(
    project: Project, keys: dict[str, str]
) -> None:
    order = "stop-first" if keys is PLAIN else "start-first"
    more = {} if keys is PLAIN else {"keep_warm": "0s"}
    configure(project, service("web", **keys, order=order, **more))
    project.zddeploy()
    with visiting(project) as visitors:
        project.zddeploy()
        project.write("stillborn.web-3", "")
        project.zddeploy(code=1)
        project.zddeploy()
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 200)

    lines = access(project)
    assert wrong(visitors, lines) == []
    assert share_known(visitors, lines) > 0.3


def test_each_line_is_right_while_an_instance_crashes(project: Project) -> None:
    configure(project, service("web", **PLAIN, instances=2))
    project.zddeploy()
    with visiting(project) as visitors:
        project.write("doomed.web-1", "")
        eventually(lambda: project.instances()["web-1"]["restarts"] > 1)
        (project.folder / "doomed.web-1").unlink()

    lines = access(project)
    assert wrong(visitors, lines) == []
    assert share_known(visitors, lines) > 0.3


@pytest.mark.parametrize("when", ["after", "before"])
def test_each_line_is_right_when_zddeploy_is_killed_at_the_switch(project: Project, when: str) -> None:
    configure(project, WEB)
    project.zddeploy()
    script = KILLED if when == "after" else KILLED.replace('if "to"', 'append(path, line)\n    if "from"')
    with visiting(project) as visitors:
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
        killed = subprocess.run([sys.executable, "-c", script], cwd=project.folder, env=env, check=False)
        assert killed.returncode == -9
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 100)
        during = set(visitors.answered)
        project.zddeploy("recover")
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 200)

    lines = access(project)
    assert wrong(visitors, lines) == []
    unknown = {line["id"] for line in lines if line["instance"] == UNKNOWN}
    assert unknown & during
    assert share_known(visitors, lines) > 0.3  # from the recovery on they are known again


def test_rotation_under_load_loses_no_request_and_no_line(project: Project) -> None:
    configure(project, WEB, log_max="50K")
    project.zddeploy()
    kept = project.folder / "kept"
    kept.mkdir()

    def keep(log: Path) -> None:
        new = kept / "new"
        os.link(log, new)
        new.rename(kept / str(new.stat().st_ino))
        new.unlink(missing_ok=True)  # one that was kept before

    def rotated() -> bool:
        for log in sorted(folder(project).iterdir()):
            keep(log)
        return len(list(kept.iterdir())) > 4

    asked: list[str] = []

    def all_there() -> bool:
        rotated()
        ids = [json.loads(line)["id"] for path in kept.iterdir() for line in path.read_text().splitlines()]
        asked[:] = [each for each in ids if each.startswith("visit/")]
        return set(asked) >= set(visitors.answered)

    with visiting(project) as visitors:
        eventually(rotated, what="four rotations")

    assert visitors.failed == []
    eventually(all_there, what="a line for each request")
    assert sorted(asked) == sorted(visitors.answered)
    eventually(lambda: (folder(project) / "access.log").stat().st_mode & 0o777 == 0o640)


def test_a_deploy_succeeds_although_nothing_can_be_noted(project: Project) -> None:
    configure(project, WEB)
    (project.state / "logs/publishes.jsonl").mkdir(parents=True)

    project.zddeploy()

    project.get("/hello")
    eventually(lambda: [line["instance"] for line in access(project) if line["path"] == "/hello"] == [UNKNOWN])


@needs_root
def test_only_nginx_s_user_and_whoever_deploys_can_read_the_log(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    user = pwd.getpwnam("www-data").pw_uid

    log = folder(project) / "access.log"
    assert (log.stat().st_uid, log.stat().st_mode & 0o777) == (user, 0o640)
    for passed in (folder(project), project.state / "logs"):
        assert (passed.stat().st_uid, passed.stat().st_mode & 0o777) == (0, 0o750)
        assert acl.read(str(passed))[0] == {user: acl.SEARCH}


@needs_root
def test_what_an_app_of_nginx_s_user_does_to_the_log_harms_nobody(project: Project) -> None:
    configure(project, WEB, log_max="1M")
    project.zddeploy()
    user = pwd.getpwnam("www-data").pw_uid
    others = [path.name for path in (project.state / "logs").iterdir()]
    assert {"web-1.log", "nginx.log", "deploy-1.log", "deploy-1.jsonl", "publishes.jsonl"} < set(others)
    others.remove("access")
    argv = [PYTHON, "-S", "-c", MEDDLES, str(folder(project)), *others]

    meddled = subprocess.run(argv, user=user, group=user, extra_groups=[], check=False, capture_output=True, text=True)

    assert meddled.returncode == 0, meddled.stderr
    eventually(lambda: (folder(project) / "access.log").stat().st_size < 1 << 30)
    version(project, 2)
    project.zddeploy()
    project.get("/later")
    eventually(lambda: "/later" in project.zddeploy("logs", "--access").stdout)
    assert "\x1b" not in project.zddeploy("logs", "--access", "-n", "100000").stdout


@needs_root
def test_where_nginx_s_user_cannot_come_the_log_is_rotated_by_copying(project: Project) -> None:
    closed = project.folder / "closed"
    closed.mkdir(mode=0o700)
    configure(project, WEB, state_dir=f"{closed}/S", log_max="5K")
    assert f"{closed} is closed to www-data" in project.zddeploy("check").stdout
    project.zddeploy()
    log = closed / "S/logs/access/access.log"
    inode = log.stat().st_ino

    eventually(lambda: project.get("/x") and log.with_name("access.log.1").exists())

    assert log.stat().st_ino == inode
    eventually(lambda: project.get("/later") and "/later" in project.zddeploy("logs", "--access").stdout)


def _see_both_versions(project: Project, followed: IO[str] | None) -> None:
    assert followed is not None
    project.get("/one")
    line = next(line for line in followed if "/one" in line)
    assert re.fullmatch(r"\S+ \S+ web-1 200 \d+\.\d+ s GET localhost/one\n", line)
    project.get("/api/other")
    version(project, 2)
    project.zddeploy()
    found = ""
    while "web-2" not in found:
        project.get("/two")
        found = followed.readline()
        assert "/api" not in found


def test_lines_are_followed_over_deploys_and_filtered(project: Project) -> None:
    configure(
        project,
        service("web", **PLAIN, keep_warm="0s"),
        service("api", **PLAIN, path="/api"),
    )
    project.zddeploy()
    await_answer_of(project, "web-1")
    command = [str(BIN / "zddeploy"), "logs", "--access", "-f", "web"]
    with subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            _see_both_versions(project, process.stdout)
        finally:
            process.kill()

    assert {line["service"] for line in access(project, "api")} == {"api"}
    assert {line["instance"] for line in access(project, "--instance", "web-1")} == {"web-1"}
    assert access(project, "--since", "1h")
    assert access(project, "--since", "0s") == []


def test_what_nginx_has_answered_by_itself_can_be_chosen(project: Project) -> None:
    configure(project, service("web", **PLAIN, host="shop.test"))
    project.zddeploy()
    await_answer_of(project, "web-1", host="shop.test")
    project.get("/nobody")
    project.get("/page", host="shop.test")
    eventually(lambda: {"/nobody", "/page"} <= {line["path"] for line in access(project)})

    assert [line["path"] for line in access(project, "--instance", "nginx")] == ["/nobody"]
    assert [line["path"] for line in access(project, "--instance", "web-1")][-1] == "/page"
    assert "no such request is in the log" in project.zddeploy("logs", "--access", "--instance", "web-7").stderr


def test_a_template_logs_where_its_server_block_says(project: Project) -> None:
    behind_template(project, "", service("web", **PLAIN))
    project.zddeploy()
    hint = project.zddeploy("logs", "--access", code=2).stderr
    name = hashlib.sha256(str(project.runtime).encode()).hexdigest()[:12]
    assert f"zdd_{name} if=$zdd_visit_{name};" in hint

    project.replace("deploy.toml", "[nginx]", f'[nginx]\naccess_log = "{project.folder}/shop.log"')
    assert "no server block logs into" in project.zddeploy("check").stdout
    lines = GUIDE.replace("/var/log/nginx", str(project.folder)).replace("0123456789ab", name)
    project.replace("nginx.conf.template", "server_name www.test;", f"server_name www.test; {lines}")
    project.zddeploy()

    assert "no server block logs into" not in project.zddeploy("check").stdout
    await_answer_of(project, "web-2", host="www.test")


def test_without_a_log_nothing_is_logged(project: Project) -> None:
    configure(project, WEB, nginx="access_log = false\n")
    project.zddeploy()

    assert not folder(project).exists()
    assert "zdd_at" not in text(project)
    assert "access_log is false" in project.zddeploy("logs", "--access", code=2).stderr
