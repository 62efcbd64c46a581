"""The program itself on files with something wrong in them: its exit codes, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import strategies as st

from .profile import holds
from .test_configuration import INI, TOML
from .test_records import ENTRY, EVENTS, HOLDER, MANIFEST, SNAPSHOT, plain
from .texts import json_texts, mutated

PATIENCE = 120.0  # seconds; a command that takes so long hangs
MISTAKE = "a mistake in zdd itself"
CONF = b'[zdd]\nproject = "shop"\nstate_dir = "S"\nruntime_dir = "R"\n[service.web]\nrun = "app"\n'
ACCESS = ["logs", "--access"]
PUBLISHES = [
    {"table": "17", "before": None, "from": 5.0, "boot": "x", "clock": 1.0, "slots": {"web/00": ["web-12", "r"]}},
    {"table": "17", "to": 5.1},
    {"handed": "web-12", "at": 6.0},
    {"gap": 7.0},
]
LOGGED = {"msec": "5.000", "at": "5.000", "seconds": "0.001", "status": "200", "slots": "web", "times": "0.001"}
STATE = {
    "S/history.jsonl": st.lists(json_texts([plain(ENTRY)]), max_size=3).map(b"\n".join),
    "S/deploys/17.json": json_texts([plain(SNAPSHOT)]),
    "S/logs/deploy-17.jsonl": st.lists(json_texts(list(map(plain, EVENTS))), max_size=3).map(b"\n".join),
    "S/gate": mutated([b"0" * 32 + b" " + b"1" * 32 + b"\n"]),
    "S/nginx.told": json_texts([{"deploy": 17, "texts": ["a"]}]),
    "S/nginx.tails": json_texts([{"former": [[2.0, [[1, 1]]], [None, []]]}]),
    "S/nginx.about": json_texts([{"file": [1, 2, 3, 4, 5], "said": "nginx version: nginx/1.22.1"}]),
    "S/logs/publishes.jsonl": st.lists(json_texts(PUBLISHES), max_size=4).map(b"\n".join),
    "S/logs/access/access.log": st.lists(json_texts([LOGGED]), max_size=4).map(b"\n".join),
    "S/code.json": json_texts([{"17": {"conf": "x", "folders": {}}}]),
    "R/owner": json_texts([{"conf": "/srv/shop/deploy.toml", "uid": 0, "boot_id": "x"}]),
    "R/lock": json_texts([HOLDER]),
    "R/tables/17/manifest.json": json_texts([plain(MANIFEST)]),
    "R/control/web-12.json": json_texts([{"version": 1}]),
    "R/control/web-12.pids": json_texts([{"keeper": [1, 1], "app": [1, 1], "port": 80}]),
    "R/nginx.pid": mutated([b"1\n"]),
}


def run(folder: str, *argv: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "zdd", *argv]
    env = {**os.environ, "TMPDIR": folder}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=PATIENCE, check=False)


def named(name: str, valid: list[bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    return mutated(valid).map(lambda data: (name, data))


@holds(named("deploy.toml", TOML) | named("deploy.conf", INI), examples=15)
def test_check_finds_something_or_nothing_in_every_configuration(conf: tuple[str, bytes]) -> None:
    name, data = conf
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        Path(folder, "nginx.conf.template").write_text("events {}\n")

        done = run(folder, "check", "--json")

    assert done.returncode in (0, 2), done.stderr
    assert MISTAKE.encode() not in done.stderr + done.stdout
    if not done.stderr:
        answer = json.loads(done.stdout.splitlines()[-1])  # a project of another test may be told of first
        assert (done.returncode == 2) == bool(answer["errors"])


@pytest.mark.parametrize(
    "command",
    [["status"], ["status", "--json"], ["history"], ["history", "--json"], ["logs"], ACCESS, [*ACCESS, "--json"]],
)
@holds(files=st.fixed_dictionaries({}, optional=STATE), examples=6)
def test_commands_that_look_show_what_is_whole(command: list[str], files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in ({"deploy.toml": CONF} | files).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if "R/tables/17/manifest.json" in files:
            Path(folder, "R/current").symlink_to("tables/17")

        done = run(folder, *command)

    assert done.returncode in (0, 1, 2, 5), done.stderr
    assert done.returncode in (0, 2) or not done.stderr or b"damaged" in done.stderr
    assert MISTAKE.encode() not in done.stderr + done.stdout
    assert b"Traceback" not in done.stderr
    for line in done.stdout.splitlines() if "--json" in command else ():
        msgspec.json.decode(line)
