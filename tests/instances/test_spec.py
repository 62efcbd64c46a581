"""What a keeper is given when it starts."""

from __future__ import annotations

import json
from pathlib import Path

from zdd.conf import read
from zdd.conf.services import RunService
from zdd.instances import spec
from zdd.instances.driver import Launch, ProxySide
from zdd.keeper.record import Record
from zdd.paths import Paths

# What keepers of zdd 0.1.0 and the command lines that talk to them read.
NAMES = """
    access alone argv asked current cwd drain_timeout env folder gid groups health hold_max instance listen_variables
    log log_max nginx_pid_file path polite_for project release service socket stop_signal stop_timeout table uid version
"""


def record_of(folder: Path, keys: str = "", predecessors: list[str] | None = None) -> Record:
    (folder / "deploy.toml").write_text(
        f'[zdd]\nstate_dir = "{folder}/S"\nruntime_dir = "{folder}/R"\n[service.web]\nrun = "app {{fd}}"\n{keys}'
    )
    config = read.load(folder / "deploy.toml")
    Paths(config).prepare()
    launch = Launch(7, "r1", str(folder), lambda: ProxySide([33], "/run/nginx.pid"), predecessors)
    return spec.record_of("web-12", config.apps["web"], Paths(config), launch)


def test_what_is_written_is_what_the_keeper_reads(tmp_path: Path) -> None:
    written = record_of(tmp_path, 'stop_signal = "INT"\nstop_timeout = "7s"', predecessors=["web-11"])

    written.write()

    known = Record.read(written.file)
    assert vars(known) == {"version": 1, **vars(written)} | {"asked": json.loads(json.dumps(written.asked))}
    assert (known.kind, known.stop_signal, known.stop_timeout) == ("fd", 2, 7.0)
    assert known.argv == ["app", "3"]
    assert not known.listen_variables
    assert known.start_held
    places = {"control": f"{tmp_path}/R/control/web-11.sock", "socket": f"{tmp_path}/R/instances/web-11/socket"}
    assert known.predecessors == [places]


def test_the_names_on_disk_are_those_of_0_1_0_and_more(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.write()

    data = json.loads(Path(record.file).read_text())

    assert set(NAMES.split()) <= data.keys()
    assert (data["socket"], data["path"]) == ("fd", f"{tmp_path}/R/instances/web-12/socket")


def test_a_record_of_a_newer_zddeploy_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    record.write()
    data = json.loads(Path(record.file).read_text())
    Path(record.file).write_text(json.dumps(data | {"version": 2, "read": "what nobody knows yet"}))

    known = Record.find(record.file)

    assert known is not None
    assert known.stop_timeout == RunService(name="web", run="app").stop_timeout


def test_a_record_that_is_missing_or_damaged_is_none(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"version": 1, "service": "web"')
    (tmp_path / "little.json").write_text('{"version": 1, "service": "web"}')

    assert [Record.find(f"{tmp_path}/{name}.json") for name in ("none", "half", "little")] == [None, None, None]
