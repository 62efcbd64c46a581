from __future__ import annotations

from pathlib import Path

import pytest

from zdd.host import usage

UNIFIED = "0::/system.slice/zdd-shop.web-1.service\n"
DIVIDED = "5:memory:/system.slice/zdd-shop.web-1.service\n2:cpu,cpuacct:/\n0::/system.slice/zdd-shop.web-1.service\n"
GROUP = "system.slice/zdd-shop.web-1.service"


@pytest.mark.parametrize(
    ("groups", "file", "text", "kills"),
    [
        (UNIFIED, f"sys/fs/cgroup/{GROUP}/memory.events", "low 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n", 2),
        (DIVIDED, f"sys/fs/cgroup/memory/{GROUP}/memory.oom_control", "oom_kill_disable 0\noom_kill 1\n", 1),
        (UNIFIED, f"sys/fs/cgroup/{GROUP}/cgroup.procs", "1\n", 0),
        ("", "sys/none", "", 0),
    ],
)
def test_the_kernels_count_is_found_in_either_hierarchy(
    tmp_path: Path, groups: str, file: str, text: str, kills: int
) -> None:
    for path, content in (("proc/self/cgroup", groups), (file, text)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)

    assert usage.kills(str(tmp_path)) == kills
