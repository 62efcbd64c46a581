"""The right to low ports: nginx inherits it, and nothing else that we start does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zdd.host import low_ports

SEES = "grep -E 'Cap(Amb|Eff)' /proc/self/status"
TRIES = f"""
import subprocess
from zdd.host import low_ports

def seen():
    lines = subprocess.check_output({SEES!r}, shell=True, text=True).splitlines()
    return [line.split()[1].strip("0") for line in lines]

low_ports.keep_to_ourselves()
before = seen()
with low_ports.passed_on():
    inside = seen()
print(low_ports.may_bind(), before, inside, seen())
"""
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable  # that any user may run
RIGHT = ["--ambient-caps=+net_bind_service", "--inh-caps=+net_bind_service"]


def as_user(*more: str) -> str:
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *more, PYTHON, "-c", TRIES]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a capability")
def test_only_what_is_started_meanwhile_inherits_it() -> None:
    assert as_user(*RIGHT) == "True ['', ''] ['4', '4'] ['', '']"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a capability")
def test_a_user_who_has_it_not_passes_nothing_on() -> None:
    assert as_user() == "False ['', ''] ['', ''] ['', '']"


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert not low_ports.may_bind(4_194_305)
