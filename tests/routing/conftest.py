from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf import read
from zdd.paths import Paths
from zdd.routing.tables import RoutingTables


@pytest.fixture
def tables(tmp_path: Path) -> RoutingTables:
    conf = tmp_path / "deploy.toml"
    zdd = f'[zdd]\nproject = "shop"\nstate_dir = "{tmp_path}/S"\nruntime_dir = "{tmp_path}/R"\n'
    conf.write_text(zdd + '[service.web]\nrun = "web"\n')
    paths = Paths(read.load(conf))
    paths.prepare()
    return RoutingTables(paths)
