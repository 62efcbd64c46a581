from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import Host, wheels
from .shop import Shop

TOOLS = ("mmdebstrap", "systemd-nspawn", "ip", "ssh")


def obstacle() -> str | None:
    """Return why no host can be booted here; in CI there is no such reason."""
    if os.environ.get("CI") == "true":
        return None
    if os.geteuid() != 0:
        return "needs root to boot a host"
    if not all(map(shutil.which, TOOLS)):
        return f"needs {', '.join(TOOLS)}; with CI=true they are installed"
    namespaces = subprocess.run(["unshare", "-m", "-n", "true"], capture_output=True, check=False)
    return None if namespaces.returncode == 0 else "needs namespaces, which this machine does not give"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = obstacle()
    for item in items:
        if "tests/lab" in str(item.path):
            item.add_marker("lab")
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is brought along to every host."""
    return wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def bare(packages: Path) -> Iterator[Host]:
    """A host as somebody gets it who rents one."""
    made = Host(packages)
    yield made
    made.end()


@pytest.fixture(scope="module")
def host(bare: Host) -> Host:
    """A host where zddeploy and the user `deploy` are."""
    bare.furnish()
    return bare


@pytest.fixture(scope="module")
def shop(host: Host) -> Shop:
    """A project of the user `deploy` behind the distribution's nginx, enabled and deployed."""
    made = Shop(host)
    made.enable()
    made.zddeploy()
    host.root("systemctl", "reload", "nginx")  # the site is new to it
    assert made.comes_to_serve("1")
    return made
