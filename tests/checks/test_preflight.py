from __future__ import annotations

import errno
import pwd
from pathlib import Path

import pytest

from zdd.checks import preflight
from zdd.errors import UsageError
from zdd.host import netlink, sock_diag, unit_files
from zdd.operate import boot, boot_unit

from ..deploy.world import World, load


def test_a_kernel_that_cannot_count_connections_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dump() -> None:
        raise netlink.Unavailable(errno.ENOENT)

    paths = '[zdd]\nstate_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'{paths}[service.web]\nrun = "app {{fd}}"\n')
    monkeypatch.setattr(sock_diag, "listening_files", dump)  # no kernel here lacks it

    with pytest.raises(UsageError, match="the kernel does not show sockets here") as refused:
        preflight.require(World(tmp_path).project(load(tmp_path)))

    assert "modprobe unix_diag" in str(refused.value.hint)


def test_a_unit_that_starts_a_configuration_which_is_gone_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_unit, "FOLDER", str(tmp_path))
    paths = f'[zdd]\nproject = "shop"\nstate_dir = "{tmp_path}/S"\nruntime_dir = "{tmp_path}/R"\n'
    folder = tmp_path / "100% my $hop"
    folder.mkdir()
    (folder / "deploy.toml").write_text(f'{paths}[service.web]\nrun = "app {{fd}}"\n')
    config = load(folder)
    unit = boot.pieces(config, pwd.getpwuid(0), ["/opt/zdd/bin/zddeploy"])[0]
    Path(unit.path).write_text(unit.text)
    enabled = tmp_path / "multi-user.target.wants" / Path(unit.path).name
    enabled.parent.mkdir()
    enabled.symlink_to(unit.path)
    project = World(tmp_path).project(config)

    assert unit_files.started(unit.path) == ("root", str(config.path))
    assert not any("at boot" in notice.what for notice in preflight.notices(project))
    folder.rename(tmp_path / "moved")
    assert any(f"at boot {config.path} is read" in notice.what for notice in preflight.notices(project))
    Path(unit.path).unlink()
    assert unit_files.started(unit.path) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("app {fd} | tee out", "so | in run is for the program to read"),
        ("setup && app {fd} > log &", "so & and && and > in run is for the program to read"),
        ("sh -c 'app {fd} | tee out'", None),
        ("app {fd} --url http://x/?a=1&b=2", None),
    ],
)
def test_what_only_a_shell_does_is_told_since_none_runs_it(tmp_path: Path, run: str, words: str | None) -> None:
    paths = '[zdd]\nstate_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'{paths}[service.web]\nrun = "{run}"\n')

    told = [notice.line for notice in preflight.notices(World(tmp_path).project(load(tmp_path)))]

    assert [f"web: no shell runs it, {words}; for a shell: run = \"sh -c '...'\""] * bool(words) == [
        line for line in told if "no shell" in line
    ]
