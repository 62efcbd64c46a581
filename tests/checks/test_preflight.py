from __future__ import annotations

import errno
import pwd
from pathlib import Path

import pytest

from zdd.checks import preflight
from zdd.errors import UsageError
from zdd.host import sock_diag
from zdd.operate import boot, boot_unit

from ..deploy.world import World, load


def test_a_kernel_that_cannot_count_connections_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dump() -> None:
        raise OSError(errno.ENOENT, "No such file or directory")

    paths = '[zdd]\nstate_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'{paths}[service.web]\nrun = "app {{fd}}"\n')
    monkeypatch.setattr(sock_diag, "connections_to_files", dump)  # no kernel here lacks it

    with pytest.raises(UsageError, match="connections to UNIX sockets") as refused:
        preflight.require(World(tmp_path).project(load(tmp_path)))

    assert "modprobe unix_diag" in str(refused.value.hint)


def test_a_unit_that_starts_a_configuration_which_is_gone_is_told_of(tmp_path: Path) -> None:
    paths = f'[zdd]\nproject = "shop"\nstate_dir = "{tmp_path}/S"\nruntime_dir = "{tmp_path}/R"\n'
    folder = tmp_path / "100% my shop"
    folder.mkdir()
    (folder / "deploy.toml").write_text(f'{paths}[service.web]\nrun = "app {{fd}}"\n')
    config = load(folder)
    unit = boot.pieces(config, pwd.getpwuid(0), ["/opt/zdd/bin/zddeploy"])[0].text
    (tmp_path / "unit").write_text(unit)

    assert boot_unit.lost_configuration(str(tmp_path / "unit")) is None
    folder.rename(tmp_path / "moved")
    assert boot_unit.lost_configuration(str(tmp_path / "unit")) == str(config.path)
    assert boot_unit.lost_configuration(str(tmp_path / "none")) is None
