"""What kamal-proxy's log says of a deploy."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.kamal import KamalProxy


def test_the_last_deploys_moments_are_read_from_the_log(tmp_path: Path) -> None:
    now, moment = time.time(), time.monotonic()
    lines = ["not JSON"]
    for ago, message, more in (
        (9.0, "Target health updated", '"state":"healthy"'),
        (8.9, "Deployed", '"service":"web"'),
        (3.0, "Target health updated", '"state":"unhealthy"'),
        (2.0, "Target health updated", '"state":"healthy"'),
        (1.5, "Deployed", '"service":"web"'),
        (1.0, "Request", '"status":200'),
    ):
        at = datetime.fromtimestamp(now - ago, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
        lines.append(f'{{"time":"{at}","level":"INFO","msg":"{message}",{more}}}')
    (tmp_path / "output.log").write_text("\n".join(lines))
    proxy = KamalProxy.__new__(KamalProxy)  # the process itself is not needed to read its log
    proxy.folder = tmp_path

    marks = proxy.marks()

    assert marks.keys() == {"ready", "switched"}
    assert marks["ready"] == pytest.approx(moment - 2.0, abs=0.3)
    assert marks["switched"] - marks["ready"] == pytest.approx(0.5, abs=0.01)
