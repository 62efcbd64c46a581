"""zddeploy in units that restrict it, as a CI runner's may: it works, or names the setting before anything starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .host import ZDD, Host, Result, assert_nothing_lost
from .shop import APP
from .test_root import CONF

FOLDER = "/srv/hardened"
PORT = 8081

# What `systemd-analyze security` asks for, as far as zddeploy can do with it.
GOOD = """
ProtectSystem=strict
ReadWritePaths=/var/lib/zdd /run/zdd
PrivateTmp=yes
PrivateDevices=yes
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
SystemCallArchitectures=native
UMask=0077
"""

# A setting with which zddeploy cannot work, and what it says.
BAD = {
    "ProtectSystem=strict": "add ReadWritePaths=/var/lib/zdd/hardened",
    "ReadOnlyPaths=/run": "add ReadWritePaths=/run/zdd/hardened",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6": "add AF_NETLINK to RestrictAddressFamilies=",
    "PrivateUsers=yes": "PrivateUsers=no in the unit",
    "PrivateNetwork=yes": "PrivateNetwork=no in the unit",
}


@pytest.fixture(scope="module")
def hardened(host: Host) -> Iterator[Host]:
    """The host with a project that has been deployed once, without restrictions."""
    host.root("useradd", "--system", "app2")
    host.write(f"{FOLDER}/app.py", APP)
    host.write(f"{FOLDER}/VERSION", "1")
    host.write(f"{FOLDER}/deploy.toml", CONF.replace("8080", str(PORT)).replace('"app"', '"app2"'))
    assert in_unit(host, "", "deploy").returncode == 0
    yield host
    in_unit(host, "", "down")


def in_unit(host: Host, settings: str, command: str, code: int = 0) -> Result:
    """Run zddeploy in a transient service with these settings."""
    properties = [f"--property={line}" for line in settings.splitlines() if line]
    unit = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--setenv=PATH=/usr/sbin:/usr/bin:/bin"]
    return host.root(*unit, *properties, ZDD, command, "-c", f"{FOLDER}/deploy.toml", code=code)


def serves(host: Host) -> str:
    return host.root("curl", "-sf", f"http://127.0.0.1:{PORT}/").stdout


def test_in_a_hardened_unit_it_deploys_and_loses_nothing(hardened: Host) -> None:
    hardened.write(f"{FOLDER}/VERSION", "2")
    visitors = hardened.load(PORT)

    assert "0 errors" in in_unit(hardened, GOOD, "check").stdout
    in_unit(hardened, GOOD, "deploy")

    assert_nothing_lost(visitors.report())
    assert serves(hardened) == "2"
    status = in_unit(hardened, GOOD, "status").stdout
    assert "hardened: deploy 2, serving" in status


@pytest.mark.parametrize("setting", BAD)
def test_a_setting_that_it_cannot_work_with_is_named_before_anything_starts(hardened: Host, setting: str) -> None:
    before = serves(hardened)

    for command in ("check", "deploy"):
        result = in_unit(hardened, setting, command, code=2)
        assert BAD[setting] in result.stdout + result.stderr

    assert serves(hardened) == before
    assert "hardened: deploy 2, serving" in in_unit(hardened, "", "status").stdout


def test_root_without_capabilities_still_replaces_what_serves(hardened: Host) -> None:
    """Its nginx hides from it which sockets it has, and is not taken for a stranger's."""
    hardened.write(f"{FOLDER}/VERSION", "3")

    assert "0 errors" in in_unit(hardened, "CapabilityBoundingSet=", "check").stdout
    in_unit(hardened, "CapabilityBoundingSet=", "deploy")

    assert serves(hardened) == "3"
