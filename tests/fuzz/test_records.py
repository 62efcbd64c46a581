"""The files of a project's state, as a crash, a full disk, another version or a person may leave them."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from hypothesis import strategies as st

from zdd import claims, history, living
from zdd.cli import history as history_command
from zdd.cli import screen
from zdd.conf.nginx_section import NginxSection
from zdd.conf.schema import ZddSection
from zdd.conf.services import ClassicService, RunService
from zdd.errors import ZddError
from zdd.events import Begin, Doing, Drain, Notice, Result, Step
from zdd.host import files, foreign, guarded
from zdd.host.lock import Lock
from zdd.instances import environment
from zdd.instances.classic import record as classic_record
from zdd.instances.classic.pid_files import PidFiles
from zdd.keeper import client
from zdd.keeper.record import Record
from zdd.keeper.siblings import Siblings
from zdd.layout import Layout
from zdd.nginx import words
from zdd.nginx.text.last_text import LastText
from zdd.operate import in_place, logs, under_way
from zdd.paths import Paths
from zdd.routing.manifest import Instance, Manifest
from zdd.routing.tables import RoutingTables
from zdd.snapshot import Snapshot, Snapshots

from .profile import holds
from .texts import json_texts, mutated

ENTRY = history.Entry(
    deploy=3,
    action="deploy",
    outcome="failed",
    started=1.7e9,
    seconds=2.5,
    who="ann",
    services=["web"],
    steps=[{"name": "build", "seconds": 1.0}],
    release="20240101-abc",
    label="a\u2028b",
    cause="it failed",
)
MANIFEST = Manifest(
    deploy=17,
    action="deploy",
    instances={"web-12": Instance("web-12", "web", "fd", "r1"), "api-3": Instance("api-3", "api", "tcp", port=8001)},
    before=16,
    release="r1",
    started=1.7e9,
    committed=True,
)
APP = environment.ResolvedService(name="web", run="app", from_file={"A": "b"}, taken_over={"PATH": "/bin"})
CLASSIC = ClassicService(name="old", start="a", stop="b", pid_file=Path("/x/y.pid"), cwd=Path("/x"))
SNAPSHOT = Snapshot(
    deploy=17,
    origin=17,
    release="r1",
    releases={"web": "r1"},
    zdd=ZddSection(),
    nginx=NginxSection(),
    built=None,
    order=["web", "old"],
    apps={"web": APP},
    classic={"old": CLASSIC},
)
EVENTS = [
    Begin(deploy=3, action="deploy", project="shop", started=1.7e9),
    Doing(step="build", text="build"),
    Step(step="build", seconds=1.0, ok=True),
    Drain(subject="web-1", service="web", text="drained", connections=0, drained=1, cut=0, seconds=0.5),
    Notice(text="a notice"),
    Result(outcome="failed", cause="x", exit=1, unproved=[{"service": "web", "reason": "pool", "text": "x"}]),
]


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str)


@contextlib.contextmanager
def layout() -> Iterator[Layout]:
    """Yield the paths of a project; every error but zdd's own and the system's is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        made = Layout(f"{folder}/S", f"{folder}/R")
        for path in (made.state, made.logs, made.deploys, made.runtime, made.control, made.tables, made.instances):
            os.mkdir(path)
        yield made


def write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


told = contextlib.suppress(ZddError, OSError)


@holds(st.lists(json_texts([plain(ENTRY)]), max_size=4), st.booleans(), examples=200)
def test_history_skips_what_is_damaged_and_keeps_the_rest(lines: list[bytes], ends: bool) -> None:
    with layout() as paths:
        write(paths.history, b"\n".join([*lines, b"x" * ends]))
        history.append(paths.history, ENTRY)

        entries = list(history.newest_first(paths.history))

    assert entries[0] == ENTRY
    assert history_command.lines(entries, {})
    assert msgspec.json.encode(entries)


@holds(json_texts([plain(MANIFEST)]), st.sampled_from(["17", "17+1", "\xb2", "9" * 200, "x", "", "+", "-1", "17/x"]))
def test_a_manifest_is_read_or_named(data: bytes, name: str) -> None:
    with layout() as paths:
        tables = RoutingTables(cast("Paths", paths))
        for table in ("17", "\xb2", "x", "9" * 200):
            os.mkdir(paths.table(table))
            write(f"{paths.table(table)}/manifest.json", data)
        os.symlink(f"tables/{name}", paths.current)
        with told:
            tables.numbers()
            if manifest := tables.current() or tables.read(17):
                assert manifest.slots() is not None
                assert tables.before(manifest) is None or manifest.before == 17
        with told:
            tables.astray()
        with told:
            tables.unfinished()
        with told:
            tables.prune({1})
        record = Record.of(paths.record("web-12"), RECORD)
        record.published()
        siblings = Siblings(record)
        siblings.serving()
        siblings.taking()


RECORD = {
    "version": 1,
    "project": "shop",
    "service": "web",
    "instance": "web-12",
    "argv": ["app"],
    "env": {},
    "cwd": "/",
    "socket": "fd",
    "folder": "R/instances/web-12",
    "path": "R/instances/web-12/socket",
    "log": "log",
    "log_max": 0,
    "access": [33],
    "polite_for": 15.0,
    "stop_signal": 15,
    "stop_timeout": 10.0,
    "drain_timeout": 30.0,
    "alone": True,
    "hold_max": 20.0,
    "listen_variables": True,
    "current": "R/current",
    "table": "R/tables/17",
    "health": {"path": "/", "host": "localhost", "timeout": 5.0},
}


@holds(json_texts([RECORD]), json_texts([{"keeper": [4194304, 77], "app": [4194304, 78], "port": 8001}]))
def test_records_of_instances_are_read_or_missing(data: bytes, pids: bytes) -> None:
    with layout() as paths:
        write(paths.record("web-12"), data)
        write(paths.pids("web-12"), pids)
        Record.find(paths.record("web-12"))
        with contextlib.suppress(ValueError, OSError):  # the keeper's own way: it ends, with these words in its log
            Record.read(paths.record("web-12"))
        known = client.pids(paths.pids("web-12"))
        living.find(paths)

    assert known.keeper is None
    assert known.app is None
    assert known.port is None or known.port > 0


@holds(json_texts([plain(SNAPSHOT)]), st.sampled_from(["17", "\xb2", "9" * 200]), examples=150)
def test_a_snapshot_is_read_or_missing(data: bytes, name: str) -> None:
    with layout() as paths:
        write(f"{paths.deploys}/{name}.json", data)
        snapshots = Snapshots(paths.deploys, Path("/srv/shop"))

        found = [snapshots.read(number) for number in snapshots.headers()]

    for snapshot in filter(None, found):
        assert isinstance(snapshot.apps.get("web", APP), RunService)


CLAIM = {"conf": "/srv/shop/deploy.toml", "known_as": "/srv/link/deploy.toml", "file": [1, 2], "uid": 0, "boot_id": "x"}


@holds(json_texts([CLAIM, {"conf": "a\0b"}, {"conf": "/" + "a" * 5000}]))
def test_an_owner_is_known_or_unknown(data: bytes) -> None:
    with layout() as paths:
        write(paths.owner, data)
        claim = claims.decode(guarded.read_of_user(paths.owner, os.geteuid()))
        if claim:
            with told:
                claims.check_conf(claim, Path("/srv/shop/deploy.toml"), "shop")
            claim.covers(Path("/srv/shop/deploy.toml"))
            claims.of(Path(paths.owner), claim)
        living.doubt(paths)
        living.is_stale(paths)


@holds(mutated([b"0123456789abcdef" * 2 + b" " + b"fedcba9876543210" * 2 + b"\n"]))
def test_the_words_of_the_gate_are_whole_or_new(data: bytes) -> None:
    with layout() as paths:
        write(paths.gate, data)
        mark = words.mark_of(paths)
        words.keep(paths, mark)

        assert words.mark_of(paths) == mark


@holds(json_texts([{"deploy": 17, "texts": ["a", None]}]), st.text())
def test_what_nginx_was_told_is_compared_or_unknown(data: bytes, text: str) -> None:
    with layout() as paths:
        write(paths.nginx_last_text, data)
        os.symlink("tables/" + "9" * 200, paths.current)
        LastText(paths.nginx_last_text, paths.current).differs(text)


HOLDER = {"who": "ann", "pid": 1, "command": "zddeploy deploy", "since": 1.7e9}


@holds(json_texts([HOLDER]), st.lists(json_texts(list(map(plain, EVENTS))), max_size=6), examples=150)
def test_what_is_under_way_is_shown_as_far_as_it_is_known(holder: bytes, events: list[bytes]) -> None:
    with layout() as paths:
        lock = Lock(paths.lock)
        lock.acquire(dict, 0.0)
        write(paths.lock, holder)
        write(paths.deploy_log(3), b"")
        write(paths.deploy_events(3), b"\n".join([plain_line(EVENTS[0]), *events, b""]))
        project = cast("Any", SimpleNamespace(paths=paths))

        change = under_way.look(project)
        shown = [screen.line(event, True) for event in under_way.EventFile(paths.deploy_events(3)).new()]
        lock.release()

    assert change is None or msgspec.json.encode(change)
    assert shown


def plain_line(event: Any) -> bytes:
    return bytes(msgspec.json.encode(event))


CODE = {"3": {"conf": "x", "folders": {"/srv/shop": "digest"}}}


@holds(json_texts([CODE]), json_texts([{"PATH": "/bin", "LANG": "C", "TZ": "UTC"}]))
def test_remembered_code_and_environment_are_used_as_far_as_they_are_whole(code: bytes, variables: bytes) -> None:
    with layout() as paths:
        write(paths.code, code)
        write(paths.environment, variables)
        project = cast("Any", SimpleNamespace(paths=paths, releases=None))
        unwanted = in_place.Unwanted(3, 0.0, "rejected")
        in_place._is_loaded(project, unwanted, MANIFEST, "/nowhere", time.time())
        before = dict(os.environ)
        try:
            with told:
                environment.recall(paths.environment)
        finally:
            os.environ.clear()
            os.environ.update(before)


PROCESS = classic_record.ClassicRecord(CLASSIC, {"/x/y.pid": "12"}, (4194304, 77), 8001, (4194304, 78))


@holds(json_texts([plain(PROCESS)]), mutated([b"4194304\n", b" 12 ", b"1_0", b"+7"]), examples=200)
def test_a_classic_instance_has_numbers_or_none(record: bytes, number: bytes) -> None:
    with layout() as paths:
        write(paths.classic_record("old-1"), record)
        if known := classic_record.read(paths.classic_record("old-1")):
            known.main()
            known.stopping()
        pid_files = PidFiles(f"{paths.state}/y.pid")
        write(pid_files.own, number)
        found = [pid_files.number(pid_files.own), files.read_number(pid_files.own)]
        pid_files.texts()
        living.find(paths)

    assert all(pid is None or 0 < pid < 2**31 for pid in found)


LINES = [
    b"2024-01-01T10:00:00+01:00 a line\n",
    b"[01/Jan/2024:10:00:00 +0100] another\n",
    b"2024-01-01 10:00:00,123 INFO\n 0001-01-01T00:00:00+23:59 x\n9999-12-31T23:59:59-23:59 y\n",
]


@holds(mutated(LINES), examples=200)
def test_every_log_has_lines(data: bytes) -> None:
    with layout() as paths:
        write(paths.log("web-1"), data)
        lines = logs.last(cast("Paths", paths), ["web-1"], 5)
        all_lines = list(logs.since(cast("Paths", paths), ["web-1"], 0.0))

    assert len(lines) <= 5
    assert isinstance(all_lines, list)


@holds(st.binary(max_size=200) | mutated([json.dumps(CLAIM).encode()]))
def test_a_text_is_text_or_named_with_its_line(data: bytes) -> None:
    with layout() as paths:
        write(paths.gate, data)
        try:
            foreign.text(paths.gate)
        except foreign.NotText as error:
            said = f"{error.filename}: {error.strerror}"
        else:
            return

    assert said.startswith(f"{paths.gate}: it is not UTF-8: line ")
