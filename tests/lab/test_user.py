"""An ordinary user, the distribution's nginx, deploys over ssh."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.waiting import eventually

from ..system.project import TEMPLATE
from .host import ZDD, Host, assert_nothing_lost, running
from .shop import FOLDER, Shop

CONNECT = """
import socket
try:
    socket.socket(socket.AF_UNIX).connect("/run/zdd/shop/current/web/00")
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""

CLASSIC_NGINX = (
    TEMPLATE.replace("PORT", "8090")
    .replace("HTTP\nUPSTREAMS", "")
    .replace("LOCATIONS", "location / { proxy_pass http://127.0.0.1:{old}; }")
)
CLASSIC_APP = Path(__file__).parents[1] / "system/classic_web.py"
CLASSIC = """
[nginx]
template: nginx.conf.template
pid_file: nginx.pid

[service:old]
start: python3 web.py old -D
stop: kill
pid_file: old.pid
"""


@pytest.fixture
def logouts_kill(host: Host) -> None:
    """Logind ends everything of a session when the session ends."""
    host.write("/etc/systemd/logind.conf.d/kill.conf", "[Login]\nKillUserProcesses=yes\n")
    host.root("systemctl", "restart", "systemd-logind")


def test_a_closed_home_and_a_project_that_is_not_enabled_are_told_before_anything_starts(host: Host) -> None:
    shop = Shop(host)

    refused = shop.zddeploy(code=2)

    assert "nginx's workers (user www-data) cannot pass /home/deploy (mode 700)" in refused.stderr
    assert "once: `sudo install -d -o deploy -m 711 /run/zdd/shop" in refused.stderr
    assert shop.status()["state"] == "nothing"
    assert f"sudo {ZDD} -c {FOLDER}/deploy.toml enable" in shop.zddeploy("enable", code=2).stderr


def test_without_lingering_the_logout_is_named_that_ends_it_all(host: Host, logouts_kill: None) -> None:
    shop = Shop(host)
    host.root("install", "-d", "-o", "deploy", "-m", "711", "/run/zdd/shop")
    host.write("/etc/sudoers.d/shop", "deploy ALL=(root) NOPASSWD: ALL\n", mode="440")

    said = shop.zddeploy("--dry-run").stdout + shop.zddeploy(code=None).stdout

    assert "ends when you log out (KillUserProcesses=yes)" in said
    assert "once: `sudo loginctl enable-linger deploy" in said
    assert "after a reboot nothing is started" in said
    host.root("rm", "/etc/sudoers.d/shop")
    shop.zddeploy("down", code=None)


def test_enable_shows_what_it_writes_and_deploy_has_nothing_more_to_say(shop: Shop) -> None:
    shown = shop.enable().stdout

    for path in (
        "/etc/systemd/system/zdd-shop.boot.service",
        "/etc/tmpfiles.d/zdd-shop.conf",
        "/etc/sudoers.d/zdd-shop",
    ):
        assert f"{path}:" in shown
    assert "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx" in shown
    assert "reboot" not in shop.zddeploy().stdout


def test_deploys_behind_the_systems_nginx_lose_no_request(shop: Shop) -> None:
    visitors = shop.host.load()
    for version in ("2", "3", "4"):
        shop.release(version)
        assert "unchanged" in shop.zddeploy().stdout
    report = visitors.report()

    assert_nothing_lost(report)
    assert {"2", "3", "4"} <= set(report.answered)
    assert shop.status()["nginx"]["managed"] is False


def test_a_new_service_has_nginx_reloaded_and_a_refused_text_changes_nothing(shop: Shop) -> None:
    host = shop.host
    conf = host.root("cat", f"{FOLDER}/deploy.toml").stdout
    extra = '[service.api]\nrun = "uvicorn app:app --uds {socket} --lifespan off"\nsocket = "unix"\nhealth_path = "/"\n'
    host.write(f"{FOLDER}/deploy.toml", conf + extra, "deploy")
    assert "reloaded" in shop.zddeploy().stdout

    host.write("/etc/nginx/conf.d/other.conf", "upstream other { server 127.0.0.1:1; }\n")
    host.write(f"{FOLDER}/deploy.toml", (conf + extra).replace("service.api", "service.other"), "deploy")
    refused = shop.zddeploy(code=1)

    assert 'duplicate upstream "other"' in refused.stderr
    assert "upstream api" in host.root("cat", f"{FOLDER}/upstreams.conf").stdout
    host.root("rm", "/etc/nginx/conf.d/other.conf")
    host.root("nginx", "-t")
    host.write(f"{FOLDER}/deploy.toml", conf, "deploy")
    assert "reloaded" in shop.zddeploy().stdout


def test_instances_outlive_the_session_that_deployed_them(shop: Shop, logouts_kill: None) -> None:
    shop.release("5")
    shop.zddeploy()
    time.sleep(1)  # logind ends the session after ssh has ended

    assert shop.comes_to_serve("5")
    asked = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user"
    unit = shop.status()["services"][0]["instances"][0]["id"]
    assert f"{unit} of shop" in shop.host.ssh("deploy", f"{asked} status zdd-shop.{unit}").stdout
    assert "314572800" in shop.host.ssh("deploy", f"{asked} show -P MemoryMax zdd-shop.{unit}").stdout


def test_what_classic_services_leave_running_outlives_the_session_too(shop: Shop, logouts_kill: None) -> None:
    host, folder = shop.host, "/home/deploy/old"
    host.write(f"{folder}/web.py", CLASSIC_APP.read_text(), "deploy")
    host.write(f"{folder}/nginx.conf.template", CLASSIC_NGINX, "deploy")
    host.write(f"{folder}/deploy.conf", CLASSIC, "deploy")
    host.write(f"{folder}/VERSION", "1", "deploy")

    def zddeploy(command: str) -> str:
        said = host.ssh("deploy", f"cd {folder} && {ZDD} {command}").stdout
        eventually(lambda: "deploy" not in host.root("loginctl", "list-sessions", "--no-legend").stdout)
        return said

    assert "log out" not in zddeploy("")
    first = host.root("cat", f"{folder}/old.pid").stdout.strip()
    assert host.root("curl", "-s", "http://127.0.0.1:8090/").stdout == "old 1\n"

    host.write(f"{folder}/VERSION", "2", "deploy")
    zddeploy("deploy --detach")  # what waits to stop the first one outlives the session as well
    eventually(lambda: not running(host, first))
    assert host.root("curl", "-s", "http://127.0.0.1:8090/").stdout == "old 2\n"
    zddeploy("down")


def test_a_connection_lost_in_the_middle_leaves_the_old_version_and_the_next_deploy_works(
    shop: Shop, logouts_kill: None
) -> None:
    before = shop.serves()
    shop.release("slow 6")
    visitors = shop.host.load()
    with subprocess.Popen(shop.host.ssh_argv("deploy", shop.command()), stdout=subprocess.DEVNULL) as client:
        time.sleep(1.5)  # the new instance is booting
        client.kill()
    assert shop.serves() == before
    shop.release("7")
    shop.zddeploy("--lock-timeout", "60s")

    assert shop.comes_to_serve("7")
    assert_nothing_lost(visitors.report())


def test_a_runner_that_kills_by_environment_and_then_ends_its_service_takes_nothing_along(shop: Shop) -> None:
    shop.release("8")
    job = f"""
export RUNNER_TRACKING_ID=github_1 SECRET=hush
{shop.command()}
for environ in /proc/[0-9]*/environ; do
  pid=${{environ//[^0-9]/}}
  [ $pid = $$ ] || ! grep -qz RUNNER_TRACKING_ID=github_1 $environ 2>/dev/null || kill -KILL $pid
done
"""
    shop.host.root(
        "systemd-run", "--quiet", "--wait", "--uid=deploy", "--unit=runner", "bash", "-c", job.replace("$", "$$")
    )

    assert shop.comes_to_serve("8")
    assert "SECRET" not in shop.host.root("sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'").stdout


def test_nobody_but_nginx_can_connect_to_an_instance(shop: Shop) -> None:
    def connect(user: str) -> str:
        return shop.host.root("runuser", "-u", user, "--", "python3", "-c", CONNECT).stdout.strip()

    assert [connect("nobody"), connect("www-data"), connect("deploy")] == ["PermissionError", "connected", "connected"]


def test_a_reboot_in_the_middle_of_a_deploy_ends_with_the_last_good_release(shop: Shop) -> None:
    host = shop.host
    conf = host.root("cat", f"{FOLDER}/deploy.toml").stdout
    host.write(f"{FOLDER}/deploy.toml", conf + '[release]\nsource = "."\n', "deploy")
    shop.release("11")
    shop.zddeploy()
    shop.release("slow 12")
    with subprocess.Popen(shop.host.ssh_argv("deploy", shop.command()), stdout=subprocess.DEVNULL) as client:
        time.sleep(1.5)  # the new instance is booting
        host.reboot()
        client.kill()

    assert shop.comes_to_serve("11")
    shop.release("13")
    shop.zddeploy()
    assert shop.comes_to_serve("13")
    shop.zddeploy("rollback")
    assert shop.comes_to_serve("11")


def test_disable_undoes_enable(shop: Shop) -> None:
    shop.host.root(ZDD, "-c", f"{FOLDER}/deploy.toml", "disable")

    assert shop.host.root("sh", "-c", "ls /etc/*/zdd-* /etc/systemd/system/*/zdd-*", code=None).stdout == ""
    assert shop.comes_to_serve("11")
    shop.zddeploy("down")
