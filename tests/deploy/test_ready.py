from __future__ import annotations

import errno
from pathlib import Path

import pytest

from zdd.deploy import ready
from zdd.errors import UsageError
from zdd.host import sock_diag

from .world import World, load


def test_a_kernel_that_cannot_count_connections_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dump() -> None:
        raise OSError(errno.ENOENT, "No such file or directory")

    places = '[zdd]\nstate_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'{places}[service.web]\nrun = "app {{fd}}"\n')
    monkeypatch.setattr(sock_diag, "connections_to_files", dump)  # no kernel here lacks it

    with pytest.raises(UsageError, match="connections to UNIX sockets") as refused:
        ready.check(World(tmp_path).site(load(tmp_path)))

    assert "modprobe unix_diag" in str(refused.value.hint)
