"""Which nginx reads a file of ours, and what is said where that cannot be told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import namespaces, process
from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.nginx.process import master, running
from zdd.nginx.process.binary import Binary, find
from zdd.nginx.process.master import Absent, Master, Unknown
from zdd.nginx.process.nginx import NginxProcess
from zdd.nginx.process.reads import Configuration, Readers
from zdd.nginx.process.whereabouts import Whereabouts

from ..house import House


def including(house: House, include: str = "ours.conf") -> str:
    """A text that includes a file."""
    return house.simple("here").replace("http {", f"http {{\n    include {include};")


def readers(house: House) -> Readers:
    return Readers(f"{house.folder}/ours.conf", house.binary.path, house.commands)


def asked(house: House, pid_file: str | None = None) -> master.Answer:
    return master.that_reads(f"{house.folder}/ours.conf", pid_file, readers(house).includes)


def running_master(house: House) -> Process:
    found = house.nginx.master()
    assert found
    return found


@pytest.mark.parametrize("include", ["ours.conf", "FOLDER/o*.conf", "more/*", "more/../[o]urs.c??f"])
def test_the_nginx_whose_configuration_includes_the_file_is_the_one(house: House, include: str) -> None:
    """Also where an included file includes it."""
    Path(house.folder, "more").mkdir()
    Path(house.folder, "more", "site").write_text("include ours.conf;")
    Path(house.folder, "ours.conf").write_text("")
    house.nginx.apply(including(house, include.replace("FOLDER", house.folder)))

    assert asked(house) == Master(running_master(house))


def test_a_file_that_is_not_there_yet_is_included_by_its_pattern(house: House) -> None:
    house.nginx.apply(including(house, "our*.conf"))

    assert isinstance(asked(house), Master)


def test_an_nginx_without_the_file_is_none_of_ours(house: House) -> None:
    """H3: the visible nginx was taken for the right one."""
    house.nginx.apply(house.simple("other"))
    found = running_master(house)

    assert not isinstance(asked(house), Master)
    named = asked(house, house.pid_file)
    assert isinstance(named, Absent)
    assert not named.is_down  # the line may be about to be written
    assert f"nginx (process {found.pid}, {house.pid_file}) does not include" in named.reason


def test_where_proc_hides_processes_it_cannot_be_told_whether_nginx_runs(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H8: hidepid alone is no fault."""
    Path(house.pid_file).write_text("1\n")
    monkeypatch.setattr(master, "visible", list)
    monkeypatch.setattr(namespaces, "is_hidden", lambda pid: pid == 1)

    answer = asked(house, house.pid_file)

    assert isinstance(answer, Unknown)
    assert f"nginx (process 1, {house.pid_file}) cannot be seen" in answer.reason
    assert "hidepid" in answer.reason
    assert Whereabouts(answer).down is None


def test_a_configuration_that_cannot_be_read_is_not_guessed_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(house.folder, "ours.conf").write_text("")
    house.nginx.apply(including(house))
    monkeypatch.setattr(Configuration, "includes", lambda self, file: None)
    monkeypatch.setattr(master, "visible", lambda: [running_master(house)])

    answer = asked(house)

    assert isinstance(answer, Unknown)
    assert answer.candidates == (running_master(house),)
    assert "set pid_file" in answer.hint
    assert isinstance(asked(house, house.pid_file), Master)


def test_no_nginx_at_all_is_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master, "visible", list)

    assert Whereabouts(asked(house, house.pid_file)).down == (
        f"no nginx runs that would read {house.folder}/ours.conf: {house.pid_file} names none"
    )


def test_both_masters_of_a_replacement_are_seen_until_the_old_one_takes_nothing(house: House) -> None:
    """X3: a reload reaches one of the two, and the other one's workers keep the old addresses."""
    Path(house.folder, "ours.conf").write_text("")
    house.nginx.apply(including(house))
    old = running_master(house)
    where = Whereabouts(asked(house), house.pid_file)
    assert where.rivals() == []
    old.signal(signal.SIGUSR2)
    eventually(lambda: Path(f"{house.pid_file}.oldbin").exists() and house.nginx.master() not in (None, old))
    new = running_master(house)
    eventually(lambda: running.workers(new))

    for pid_file in (None, house.pid_file):
        answer = asked(house, pid_file)
        assert isinstance(answer, Master)
        assert answer.process == new
        (rival,) = Whereabouts(answer, pid_file).rivals()
        assert (rival.master, rival.replaces) == (old, True)
        assert rival.workers
    old.signal(signal.SIGWINCH)
    eventually(lambda: not running.workers(old))
    assert Whereabouts(asked(house), house.pid_file).rivals() == []
    old.signal(signal.SIGQUIT)
    assert old.wait(20)
    assert asked(house) == Master(new)


def test_a_text_is_tested_by_the_program_that_runs(house: House) -> None:
    """X12: the one on disk may be another version by now."""
    copy = f"{house.folder}/program"
    Path(copy).write_bytes(Path(house.binary.path).read_bytes())
    os.chmod(copy, 0o755)
    house.binary.path = copy
    house.nginx.apply(house.simple("one"))
    before = house.binary.version
    Path(f"{copy}.new").write_text("#!/bin/sh\necho unknown directive >&2\nexit 1\n")
    os.chmod(f"{copy}.new", 0o755)
    os.rename(f"{copy}.new", copy)
    found = find(copy, running_master(house))

    assert (found.path, found.running) == (copy, f"/proc/{running_master(house).pid}/exe")
    assert found.version == before
    nginx = NginxProcess(found, house.conf_file, house.pid_file, house.folder, house.commands, Clock(), 20.0)
    assert nginx.apply(house.simple("two")) == "reloaded"


def test_the_user_of_workers_is_who_they_are_now(house: House) -> None:
    Path(house.folder, "ours.conf").write_text("")
    user = "user games;\n" if os.geteuid() == 0 else ""
    house.nginx.apply(user + including(house))
    uids = {process.user_id(worker.pid) for worker in house.workers()}

    assert set(Whereabouts(asked(house)).users()) == uids
    assert Binary(house.binary.path, house.commands).prefix
