"""Root deploys for an app's own user; zdd runs nginx itself. Everything is in units of the system's manager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.waiting import eventually

from .host import ZDD, Host, assert_nothing_lost
from .shop import APP

FOLDER = "/srv/depot"

CONF = """
[nginx]
listen = 8080

[service.web]
run = "/opt/zdd/bin/uvicorn app:app --fd {fd} --lifespan off --no-access-log"
user = "app"
health_path = "/"
keep_warm = "0s"
memory_max = "200M"
cpu_weight = 200
"""


@pytest.fixture(scope="module")
def depot(host: Host) -> Iterator[Host]:
    """The host with that project deployed."""
    host.root("useradd", "--system", "app")
    host.write(f"{FOLDER}/app.py", APP)
    host.write(f"{FOLDER}/VERSION", "1")
    host.write(f"{FOLDER}/deploy.toml", CONF)
    zddeploy(host)
    yield host
    zddeploy(host, "down")


def zddeploy(host: Host, *args: str, code: int | None = 0) -> str:
    return host.root(ZDD, *args, "-c", f"{FOLDER}/deploy.toml", code=code).stdout


def units(host: Host) -> list[str]:
    argv = ["systemctl", "list-units", "--plain", "--no-legend", "zdd-depot.*"]
    return [line.split()[0] for line in host.root(*argv).stdout.splitlines()]


def serving(depot: Host) -> dict[str, Any]:
    """What status tells of the one instance that serves, once it does: a visitor may have been answered before that."""
    found: list[dict[str, Any]] = []

    def serves() -> bool:
        rows = json.loads(zddeploy(depot, "status", "--json", code=None))["services"][0]["instances"]
        found[:] = [row for row in rows if row["state"] == "serving"]
        return bool(found)

    eventually(serves)
    return found[0]


def main_process(depot: Host, instance: str) -> str:
    return depot.root("systemctl", "show", "-P", "MainPID", f"zdd-depot.{instance}").stdout.strip()


def test_each_instance_and_nginx_have_units_one_can_read(depot: Host) -> None:
    names = units(depot)

    assert [name for name in names if "web" in name] == ["zdd-depot.web-1.service"]
    assert [name.partition("-")[0] for name in names if "nginx" in name] == ["zdd"]
    assert "web-1 of depot" in depot.root("systemctl", "status", "zdd-depot.web-1").stdout


def test_deploys_lose_no_request_and_leave_no_unit_behind(depot: Host) -> None:
    visitors = depot.load(8080)
    for version in ("2", "3"):
        depot.write(f"{FOLDER}/VERSION", version)
        zddeploy(depot)

    assert_nothing_lost(visitors.report())
    assert [name for name in units(depot) if "web" in name] == ["zdd-depot.web-3.service"]


def test_a_killed_keeper_takes_neither_app_nor_unit_along(depot: Host) -> None:
    visitors = depot.load(8080)
    depot.root("kill", "-KILL", main_process(depot, "web-3"))
    assert "zdd-depot.web-3.service" in units(depot)
    zddeploy(depot)

    assert_nothing_lost(visitors.report())
    assert [name for name in units(depot) if "web" in name] == ["zdd-depot.web-4.service"]


def test_an_app_over_its_memory_is_killed_and_started_again_by_a_keeper_that_stays(depot: Host) -> None:
    before = serving(depot)
    keeper = main_process(depot, before["id"])

    eaten = depot.root("curl", "-s", "-w", "%{http_code}", "-X", "POST", "http://127.0.0.1:8080/eat")  # not repeated
    depot.root("curl", "-sf", "--retry", "9", "--retry-all-errors", "http://127.0.0.1:8080/")
    assert eaten.stdout.endswith("502")
    after = serving(depot)

    assert (after["id"], after["restarts"], main_process(depot, before["id"])) == (before["id"], 1, keeper)
    assert after["pid"] != before["pid"]
    told = zddeploy(depot, "status")
    assert "restarted last after signal SIGKILL, out of memory (memory_max, or the machine's)" in told
    assert "the app ended: signal SIGKILL, out of memory" in zddeploy(depot, "logs")


def test_the_weight_of_its_processor_time_is_that_of_its_control_group(depot: Host) -> None:
    group = depot.root("systemctl", "show", "-P", "ControlGroup", f"zdd-depot.{serving(depot)['id']}").stdout.strip()
    files = f"/sys/fs/cgroup{group}/cpu.weight /sys/fs/cgroup/cpu{group}/cpu.shares"

    weight = depot.root("sh", "-c", f"cat {files} 2>/dev/null", code=None).stdout.strip()

    assert weight in ("200", "2048")  # of 100, or 1024 where control groups are of version 1


def test_the_app_runs_as_its_user_and_only_nginx_gets_to_its_socket(depot: Host) -> None:
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/run/zdd/depot/current/web/00')"

    codes = {
        user: depot.root("runuser", "-u", user, "--", "python3", "-c", connect, code=None).returncode
        for user in ("app", "www-data", "nobody")
    }

    assert codes == {"app": 1, "www-data": 0, "nobody": 1}  # the app inherits it, and need not get to it
    assert depot.root("pgrep", "-u", "app", "-f", "uvicorn").stdout


def test_nginx_and_app_are_back_after_a_reboot(depot: Host) -> None:
    zddeploy(depot, "enable")
    depot.reboot()

    depot.root("systemctl", "start", "zdd-depot.boot")  # waits until it has come up
    assert depot.root("curl", "-sf", "http://127.0.0.1:8080/").stdout == "3"


def test_down_ends_every_unit(depot: Host) -> None:
    zddeploy(depot, "down")

    assert units(depot) == ["zdd-depot.boot.service"]
    zddeploy(depot, "disable")
