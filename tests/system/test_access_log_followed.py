"""Following the access log: each request is shown once, whatever happens to the log meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import eventually
from zdd.nginx.access_log import UNKNOWN

from .project import BIN, PLAIN, Project, configure, service
from .visitors import access, visiting

WEB = service("web", **PLAIN)


@contextmanager
def following(project: Project, *args: str) -> Iterator[Path]:
    """Run `logs --access -f`; yield the file with what it prints."""
    shown = project.folder / "shown.jsonl"
    command = [str(BIN / "zddeploy"), "logs", "--access", "--json", "-f", *args]
    with shown.open("wb") as output, subprocess.Popen(command, cwd=project.folder, stdout=output) as process:
        try:
            yield shown
        finally:
            process.kill()


def requests(shown: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shown.read_text().splitlines(keepends=True) if line.endswith("\n")]


def ids(shown: Path) -> list[str]:
    return [request["id"] for request in requests(shown)]


def paths(shown: Path) -> list[str]:
    return [request["path"] for request in requests(shown)]


def test_what_is_logged_while_following_begins_is_shown_once(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    with visiting(project) as visitors:
        eventually(lambda: len(visitors.answered) > 100)
        with following(project, "-n", "1000000") as shown:
            eventually(lambda: len(ids(shown)) > 200)
            visitors.stop()
            eventually(lambda: set(ids(shown)) >= set(visitors.answered))
            found = ids(shown)

    assert visitors.failed == []
    assert sorted(found) == sorted(visitors.answered)


def test_over_rotations_no_request_is_missed(project: Project) -> None:
    """At most two files are new between two looks: the next rotation waits until all was shown."""
    configure(project, WEB, log_max="5K")
    project.zddeploy()
    older = project.state / "logs/access/access.log.1"
    project.get("/begun")
    asked = ["/begun"]
    with following(project) as shown:
        eventually(lambda: paths(shown) == asked)
        for number in range(3):
            known = older.read_bytes() if older.exists() else None
            while not older.exists() or older.read_bytes() == known:
                asked.append(f"/{number}/{len(asked)}")
                project.get(asked[-1])
            eventually(lambda: len(paths(shown)) >= len(asked))
        found = paths(shown)

    assert sorted(found) == sorted(asked)  # while a worker still writes into the renamed file, the order may differ


def test_after_the_clock_was_set_back_all_lines_are_shown(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    project.get("/before")
    log = project.state / "logs/access/access.log"
    eventually(lambda: log.read_text().endswith("\n"))
    line = json.loads(log.read_text())
    for time in ("msec", "at"):
        line[time] = f"{float(line[time]) + 3600:.3f}"
    log.write_text(json.dumps(line) + "\n")
    project.get("/after")

    eventually(lambda: [seen["path"] for seen in access(project)] == ["/before", "/after"])
    assert [seen["path"] for seen in access(project, "--since", "1h")] == ["/before", "/after"]
    assert access(project)[0]["instance"] == UNKNOWN
