from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from zdd.host import systemd
from zdd.host.command import Commands, Result
from zdd.host.systemd import Manager, Unit

USER = pwd.getpwnam("nobody")
UNIT = Unit("zdd-shop.web-1", "web-1 of shop", {"MemoryMax": "1000"})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a machine with systemd 252, where we are an ordinary user without a manager of our own."""
    monkeypatch.setattr(os, "geteuid", lambda: USER.pw_uid)
    monkeypatch.setattr(systemd, "_version", lambda: 252)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_there_is_no_manager_where_systemd_does_not_run(tmp_path: Path) -> None:
    assert systemd.manager(str(tmp_path)) is None


def test_roots_manager_is_the_systems(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    manager = systemd.manager(str(root))

    assert manager is not None
    assert "--user" not in manager.service(UNIT, ["true"], "/log")
    assert manager.environment == {}


def test_a_users_manager_counts_only_when_it_outlives_the_login(root: Path) -> None:
    touch(root / f"run/user/{USER.pw_uid}/systemd/private")
    assert systemd.manager(str(root)) is None

    touch(root / "var/lib/systemd/linger" / USER.pw_name)
    manager = systemd.manager(str(root))

    assert manager is not None
    assert "--user" in manager.service(UNIT, ["true"], "/log")
    assert manager.environment == {"XDG_RUNTIME_DIR": f"/run/user/{USER.pw_uid}"}


def test_a_service_outlives_its_main_process_and_variables_in_its_words_stay() -> None:
    command = Manager(0, 252).service(UNIT, ["app", "$HOME"], "/log")

    assert {"--property=KillMode=process", "--property=ExitType=cgroup", "--property=MemoryMax=1000"} <= set(command)
    assert command[-2:] == ["app", "$$HOME"]


def test_an_old_systemd_is_not_told_what_it_does_not_know() -> None:
    assert not any("ExitType" in word for word in Manager(0, 249).service(UNIT, ["app"], "/log"))


def test_a_scope_runs_the_words_as_they_are() -> None:
    assert Manager(0, 252).scope(UNIT, ["app", "$HOME"])[-4:] == ["--scope", "--", "app", "$HOME"]


def test_unit_names_of_different_pairs_differ() -> None:
    assert systemd.unit_name("shop-web", "a-1") != systemd.unit_name("shop", "web-a-1")
    assert systemd.unit_name("a shop", "my.web-1") == "zdd-a_shop.my_web-1"


def test_without_a_manager_that_outlives_us_a_command_stays_as_it_is(root: Path) -> None:
    assert systemd.in_scope(UNIT, ["app"]) == (["app"], {})


class Answers(Commands):
    """Runs nothing; systemd's tools say this."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    def run(self, *args: object, **options: object) -> Result:
        return Result(0, self.answer)


@pytest.mark.parametrize(
    ("group", "answer", "fate"),
    [
        ("/user.slice/user-1000.slice/session-3.scope", "yes", "when you log out (KillUserProcesses=yes)"),
        ("/user.slice/user-1000.slice/session-3.scope", "no", None),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", "", "when you have logged out everywhere"),
        ("/system.slice/runner.service", "control-group", "when runner.service does, which this is run by"),
        ("/system.slice/cron.service", "process", None),
        ("/", "", None),
    ],
)
def test_what_ends_processes_without_a_unit(
    group: str, answer: str, fate: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "_own_group", lambda: group)

    assert systemd.fate(Answers(answer)) == fate
