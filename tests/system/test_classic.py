"""The classic contract on real servers behind a real nginx."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .project import SampleProject, assert_nothing_lost

Make = Callable[[str], SampleProject]


@pytest.mark.parametrize("name", ["gunicorn", "node", "twisted"])
def test_ten_deploys_of_a_sample_under_load_lose_nothing(sample: Make, name: str) -> None:
    project = sample(name)
    project.zddeploy()
    with project.load() as load:
        for version in range(2, 12):
            project.release(str(version))
            project.zddeploy()
        report = load.stop()
    assert_nothing_lost(report)
    assert "11" in report.answered
    print(f"{name}: {report.requests} requests, {report.reconnects} connections closed by ten reloads")
