"""Instances that 0.1.0 has started take the times of today as far as their keepers know how."""

from __future__ import annotations

from collections.abc import Mapping

from tests.system.project import PLAIN, Project, busy, configure, service, version
from tests.waiting import eventually
from zdd.keeper.record import Record

from .programs import NEW, OLD, Program


def test_drain_timeout_of_today_holds_for_an_instance_of_the_old_program(programs: Mapping[str, Program]) -> None:
    project = Project()
    try:
        configure(project, service("web", **PLAIN, drain_timeout="1h", keep_warm="0s"))
        assert programs[OLD].run(project).code == 0
        (call,) = busy(project, "never")
        version(project, 2)
        project.replace("deploy.toml", '"1h"', '"500ms"')

        said = programs[NEW].run(project)

        assert said.code == 0, said
        assert "1 connection was cut" in said.out, said
        call.answer()
        eventually(lambda: list(project.instances()) == ["web-2"])
    finally:
        project.end()


def test_times_that_an_old_keeper_cannot_take_are_written_to_its_record(programs: Mapping[str, Program]) -> None:
    """So what is left of it, should it be killed, is stopped by them."""
    project = Project()
    try:
        configure(project, service("web", **PLAIN))
        assert programs[OLD].run(project).code == 0
        project.replace("deploy.toml", "[service.web]\n", '[service.web]\nstop_timeout = "77s"\n')

        said = programs[NEW].run(project, "recover")

        assert said.code == 0, said
        record = Record.find(f"{project.runtime}/control/web-1.json")
        assert record is not None
        assert record.stop_timeout == 77.0
        assert list(project.serving()) == ["web-1"]
    finally:
        project.end()
