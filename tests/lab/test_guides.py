"""What docs/guides say: only that is typed, on a host as somebody gets it who rents one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import eventually
from zdd.load import Kind
from zdd.nginx.config import maintenance

from .guide import NAME, Desk, Guide
from .host import ADDRESS, HERE, ROOT, Host, Visitors, assert_nothing_lost

TEN_MINUTES = Guide("ten-minutes")
SYSTEM_NGINX = Guide("system-nginx")
SYSTEMD = Guide("systemd")
CI = Guide("ci-over-ssh")
UPGRADE = Guide("upgrade")

MARK = "/run/before-the-reboot"
PORT = 8043  # where TLS is spoken for the visitors
BOTH = (Kind(weight=3), Kind("POST", "/api/echo", body=2000, weight=2))

MORE_OF_THE_APP = """

@app.websocket("/api/talk")
async def talk(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
"""
TALK = f"""
import socket, ssl
from websockets.sync.client import connect
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
tcp = socket.create_connection(("{ADDRESS}", 443), 10)
with connect("wss://{NAME}/api/talk", sock=tcp, ssl=context, server_hostname="{NAME}") as talk:
    talk.send("are you there?")
    print(talk.recv(10))
"""
BLOG = """
[nginx]
include = "/home/deploy/blog/upstreams.conf"
test = "sudo nginx -t"
reload = "sudo systemctl reload nginx"

[service.web]
run = "python3 -m http.server {port}"
socket = "tcp"
health_path = "/"
"""


@pytest.fixture(scope="module")
def desk(bare: Host, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(bare, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def first(desk: Desk) -> str:
    """The server is set up and has its first deploy; this was on the screen last."""
    for name in ("The server", "The code", "What runs", "What nginx does", "The first deploy"):
        shown = desk.follow(TEN_MINUTES, name)
    return shown


@contextmanager
def visitors() -> Iterator[Visitors]:
    tunnel = [str(HERE / "hosts.sh"), "near", sys.executable, str(HERE / "tls.py"), str(PORT), ADDRESS, NAME]
    with subprocess.Popen(tunnel, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        made = Visitors(f"127.0.0.1:{PORT}", kinds=BOTH, host=NAME)
        try:
            yield made
        finally:
            made.end()
            child.kill()


def test_a_bare_server_serves_after_ten_minutes_and_again_after_a_reboot_in_the_middle_of_a_deploy(
    bare: Host, desk: Desk, first: str
) -> None:
    assert first.endswith('the first version\n"first"')
    change, rollback, look = TEN_MINUTES.section("Every deploy after that")
    deploy = change.commands()[-1]

    with visitors() as early:
        desk.done.append(change)  # in parts
        desk.run("\n".join(change.commands()[:-1]), "shop")
        deploying = desk.start(deploy)
        eventually(lambda: bare.root("pgrep", "-f", "releases/.*/pip install", code=None).stdout)
        assert_nothing_lost(early.report(0))
    bare.root("touch", MARK)
    desk.follow(TEN_MINUTES, "When the server reboots", code=None)  # which ends the connection
    assert deploying.wait(60) != 0
    eventually(lambda: rebooted(bare) and "first" in desk.curl("/", code=None))
    assert "first" in desk.curl("/api/version")

    with visitors() as late:
        desk.run(deploy)
        eventually(lambda: "second" in desk.curl("/") + desk.curl("/api/version"))
        desk.do(rollback)
        eventually(lambda: "first" in desk.curl("/"))
        assert_nothing_lost(late.report())
    assert desk.do(look).startswith("shop: deploy 5, serving\n")  # bringing it up was one, too


def rebooted(bare: Host) -> bool:
    """Tell whether /run is a new one; while the host goes down there may be no answer at all."""
    return bare.root("test", "-e", MARK, code=None).returncode == 1


def test_http_2_is_spoken_and_http_leads_to_https(desk: Desk, first: str) -> None:
    assert desk.curl("/", "--http2", "--head").startswith("HTTP/2 200")
    assert f"location: https://{NAME}/some?where" in desk.curl("/some?where", "--head", scheme="http").lower()


def test_the_ten_minutes_count_right() -> None:
    commands = sum(len(block.commands()) for block in TEN_MINUTES.blocks if not block.is_file)
    files = [block.where for block in TEN_MINUTES.blocks if block.where.startswith("/")]

    assert f"{commands} commands and {len(files)} files" in TEN_MINUTES.text


def test_units_and_what_is_arranged_for_boot_can_be_looked_at(desk: Desk, first: str) -> None:
    assert re.search(r"zdd-shop\.web-\d+\.service .* web-\d+ of shop", desk.follow(SYSTEMD, "Units"))
    shown = desk.follow(SYSTEMD, "Boot")
    assert "up\n" in shown
    assert "NOPASSWD: /usr/bin/systemctl reload nginx" in shown


def test_what_apps_print_can_be_had_in_the_journal_too(bare: Host, desk: Desk, first: str) -> None:
    logs, unit, copied = SYSTEMD.section("Logs")
    assert re.search(r"api-\d+ +\| INFO: .* 200 OK", desk.do(logs))
    desk.do(unit)
    desk.do(copied)
    eventually(lambda: desk.curl("/api/echo", "--data", "x") and "/api/echo" in journal(bare))

    bare.root("systemctl", "stop", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald")
    assert [desk.curl("/api/echo", "--data", "x") for _ in range(3)] == ["x"] * 3
    bare.root("systemctl", "start", "systemd-journald")
    assert "restarts" not in desk.run(f"ssh deploy@{NAME} zddeploy -c shop/deploy.toml status").stdout
    bare.root("systemctl", "disable", "--quiet", "--now", "shop-logs")


def journal(bare: Host) -> str:
    return bare.root("journalctl", "--identifier", "shop", "--lines", "5", "--output", "cat").stdout


def test_jobs_and_pushes_deploy(bare: Host, desk: Desk, first: str) -> None:
    actions, gitlab, hook, _ = CI.blocks
    steps = re.search(r"name: Deploy\n\s+run: \|\n((?: {10}.*\n)+)", actions.text)
    script = re.search(r"\n  script:\n((?:    - .*\n)+)", gitlab.text)
    assert steps
    assert script

    desk.run("git commit --quiet --allow-empty --message next", "shop")
    for number, commands in enumerate((steps[1], script[1].replace("    - ", ""))):
        told = desk.run(f"export GITHUB_SHA=g{number} CI_COMMIT_SHA=g{number}\n{commands}", "shop")
        assert "done in" in told.stdout
        assert f"g{number}" in desk.run(f"ssh deploy@{NAME} zddeploy -c shop/deploy.toml history").stdout

    desk.follow(CI, "Let the push deploy")
    desk.run("git commit --quiet --allow-empty --message next", "shop")
    assert re.search("remote: done in .*: shop serves deploy", desk.run("git push production main", "shop").stderr)
    bare.root("rm", hook.where)


def test_a_newer_zddeploy_takes_over_what_runs(desk: Desk, first: str) -> None:
    """It speaks another version to what it starts itself."""
    (desk.folder / "zdd").unlink()
    ignored = shutil.ignore_patterns(".*", "build", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, desk.folder / "zdd", ignore=ignored)
    for path, old, new in (("__init__.py", '"0.', '"9.'), ("keeper/__init__.py", "\nVERSION = 1 ", "\nVERSION = 2 ")):
        file = desk.folder / "zdd/src/zdd" / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
    zddeploy = f"ssh deploy@{NAME} zddeploy -c shop/deploy.toml"
    desk.run("sed -i 's/the .* version/the upgraded version/' web/server.js && git commit -qam next", "shop")
    desk.run("git push --quiet production main", "shop")

    with visitors() as all_the_time:
        desk.follow(UPGRADE, "Upgrading")
        assert " 9." in desk.run(f"ssh deploy@{NAME} zddeploy --version").stdout
        assert ", serving" in desk.run(f"{zddeploy} status").stdout
        desk.run(zddeploy)
        eventually(lambda: "upgraded" in desk.curl("/"))
        desk.run(f"{zddeploy} rollback")
        eventually(lambda: "upgraded" not in desk.curl("/"))
        assert_nothing_lost(all_the_time.report())


def test_a_whole_site_behind_the_systems_nginx(bare: Host, desk: Desk, first: str) -> None:
    desk.run(f"ssh deploy@{NAME} zddeploy -c shop/deploy.toml down")
    app = (desk.folder / "shop/api/main.py").read_text() + MORE_OF_THE_APP
    desk.write("shop/api/main.py", app.replace("import FastAPI, Request", "import FastAPI, Request, WebSocket"))
    desk.write("shop/api/requirements.txt", "fastapi\nuvicorn\nwebsockets\n")
    desk.write("shop/static/site.css", "body { color: green }\n")
    desk.run("git push --quiet production main", "shop")
    for name in ("deploy.toml", "The site"):
        desk.follow(SYSTEM_NGINX, name)

    # The reload takes its time, and for a moment workers of both texts answer.
    eventually(lambda: all("color: green" in desk.curl("/static/site.css", code=None) for _ in range(10)))
    bare.write("/srv/shop/shared/media/cat.txt", "a cat\n", "deploy")
    assert desk.curl("/media/cat.txt") == "a cat\n"
    assert "cache-control: max-age=3600" in desk.curl("/static/site.css", "--head", "--http2")
    assert desk.curl("/api/version").startswith('"')
    assert desk.near(sys.executable, "-c", TALK) == "are you there?\n"

    on, off = SYSTEM_NGINX.section("Maintenance")
    desk.do(on)
    closed = desk.curl("/", "--include", "--no-fail")
    assert "503" in closed.splitlines()[0]
    assert "retry-after: 30" in closed.lower()
    assert "Back at noon." in closed
    desk.do(off)
    assert "version" in desk.curl("/")


def test_the_site_has_the_very_lines_that_maintenance_asks_for() -> None:
    site = next(block.text for block in SYSTEM_NGINX.blocks if block.where.endswith("sites-enabled/shop"))

    assert textless(maintenance.lines("/run/zdd/shop/maintenance")) in textless(site)


def textless(text: str) -> str:
    return " ".join(text.split())


def test_a_second_project_with_a_service_of_the_same_name_is_refused(bare: Host, desk: Desk, first: str) -> None:
    bare.write("/home/deploy/blog/deploy.toml", BLOG, "deploy")
    bare.write("/etc/nginx/sites-enabled/blog", "include /home/deploy/blog/upstreams.conf;\n")

    refused = desk.run(f"ssh deploy@{NAME} zddeploy -c blog/deploy.toml", code=1).stderr

    quoted = SYSTEM_NGINX.text.partition("```text\n")[2].partition("```")[0].splitlines()
    for part in (*quoted[0].strip("… ").split(" … "), quoted[1]):
        assert part in refused
    bare.root("rm", "/etc/nginx/sites-enabled/blog")
    bare.root("nginx", "-t")
    assert "version" in desk.curl("/")


def test_after_leaving_it_serves_or_nothing_is_left(bare: Host, desk: Desk, first: str) -> None:
    uninstall, *end = UPGRADE.section("Leaving")
    with visitors() as all_the_time:
        desk.do(uninstall)
        assert_nothing_lost(all_the_time.report())
    desk.do(UPGRADE.section("Upgrading")[1])  # installs it again

    for block in end:
        desk.do(block)

    assert bare.root("sh", "-c", "ls -A /etc/*/zdd-* /run/zdd/shop", code=None).stdout in ("", "/run/zdd/shop:\n")
    assert bare.root("pgrep", "-u", "deploy", "-f", "keeper|uvicorn|node", code=None).stdout == ""
    bare.root("nginx", "-t")


def test_nothing_that_these_guides_say_was_left_out(desk: Desk, first: str) -> None:
    """By the tests above, that is, which must have been run; the one about jobs counts its page's blocks itself."""
    for guide in (TEN_MINUTES, SYSTEM_NGINX, SYSTEMD, UPGRADE):
        assert [block for block in guide.blocks if block not in desk.done] == []
