"""An ordinary user's own nginx on port 80, by the unit that `enable` writes."""

from __future__ import annotations

import pytest

from .host import ZDD, Host
from .shop import FOLDER, Shop

CONF = """
[nginx]
listen = "80"

[service.web]
run = "uvicorn app:app --fd {fd} --lifespan off --no-access-log"
health_path = "/"
keep_warm = "0s"
"""
ENABLE = f"sudo {ZDD} -c {FOLDER}/deploy.toml enable"
MORE = '[service.api]\nrun = "uvicorn app:app --fd {fd} --lifespan off"\npath = "/api"\nhealth_path = "/"\n'
NO_RIGHT = "0000000000000000"


@pytest.fixture(scope="module")
def own(host: Host) -> Shop:
    """A project of the user `deploy` whose nginx wants port 80; the distribution's is off."""
    made = Shop(host)
    host.root("systemctl", "disable", "--now", "--quiet", "nginx")
    configure(host, CONF)
    return made


def configure(host: Host, text: str) -> None:
    host.write(f"{FOLDER}/deploy.toml", text, "deploy")


def right_of(host: Host, pid: object, which: str = "CapEff") -> str:
    return host.root("grep", which, f"/proc/{pid}/status").stdout.split()[1]


def enable(host: Host) -> str:
    return host.root(ZDD, "-c", f"{FOLDER}/deploy.toml", "enable").stdout


def master(shop: Shop) -> int:
    return int(shop.status()["nginx"]["pid"])


def test_a_deploy_before_it_is_refused_and_names_the_command(own: Shop) -> None:
    refused = own.zddeploy(code=2)

    assert "port 80 is root's, and you are deploy" in refused.stderr
    assert f"once: `{ENABLE}`" in refused.stderr
    assert "port 80 is root's" in own.zddeploy("check", code=None).stdout
    assert own.status()["state"] == "nothing"


def test_enable_shows_the_right_and_starts_nginx(own: Shop) -> None:
    shown = enable(own.host)

    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in shown
    assert "$ systemctl --quiet restart zdd-shop.boot.service" in shown
    assert own.serves() == "curl: 22"  # 502: nginx waits for the first deploy, whose PATH the app gets
    own.zddeploy()
    assert own.comes_to_serve("1")
    assert own.status()["nginx"]["managed"] is True


def test_deploys_as_the_user_lose_no_request_and_reload_nginx(own: Shop) -> None:
    visitors, nginx = own.host.load(), master(own)
    for version in ("2", "3"):
        own.release(version)
        own.zddeploy()
    configure(own.host, CONF.replace('listen = "80"', 'listen = ["80", "127.0.0.1:81"]') + MORE)
    assert "reloaded" in own.zddeploy().stdout
    report = visitors.report()

    assert report.ok > 0
    assert set(report.failed) <= {"reset"}  # of idle connections that an old nginx closes when it is reloaded
    assert own.host.root("curl", "-sf", "http://127.0.0.1:81/").stdout == "3"
    assert master(own) == nginx


def test_no_app_and_no_keeper_gets_the_right(own: Shop) -> None:
    host = own.host
    assert right_of(host, master(own)) != NO_RIGHT
    host.root("systemctl", "restart", "zdd-shop.boot.service")

    everybody = host.root("pgrep", "-u", "deploy").stdout.split()
    have = [pid for pid in everybody if right_of(host, pid) != NO_RIGHT]
    titles = {host.root("cat", f"/proc/{pid}/cmdline").stdout.replace("\0", " ")[:20] for pid in have}
    assert titles == {"nginx: master proces", "nginx: worker proces"}


def test_while_the_master_is_dead_deploys_go_on_and_a_new_text_is_refused(own: Shop) -> None:
    host = own.host
    host.root("kill", "-9", str(master(own)))
    own.release("4")
    own.zddeploy()  # nginx has nothing to learn: its workers serve on
    assert own.comes_to_serve("4")

    configure(host, CONF)
    refused = own.zddeploy(code=1)
    assert "sudo zddeploy enable" in refused.stderr
    assert own.serves() == "4"


def test_after_down_the_command_is_named_again_and_works(own: Shop) -> None:
    own.zddeploy("down")
    assert ENABLE in own.zddeploy(code=2).stderr

    enable(own.host)
    assert own.comes_to_serve("4")


def test_a_reboot_brings_it_back(own: Shop) -> None:
    own.host.reboot()

    assert own.comes_to_serve("4")
    own.release("5")
    own.zddeploy()
    assert own.comes_to_serve("5")
