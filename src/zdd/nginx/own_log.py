"""What keeps the access log of zdd's own nginx from being what it should be."""

from __future__ import annotations

from collections.abc import Iterator

from zdd.finding import Finding, warning
from zdd.nginx import users

UNLOGGED = warning(
    "nginx logs no requests: without a service that has `run`, nothing here rotates the log",
    "`zddeploy logs --access` shows nothing",
    "set access_log = false in [nginx]",
)


def rotation(state: str, worker: int) -> Iterator[Finding]:
    """Tell that nginx's user cannot open a new log by its name, which lies below the state folder."""
    if barred := users.first_unsearchable_folder(state, [worker]):
        folder, user = barred
        yield warning(
            f"{folder} is closed to {user}, nginx's user",
            "the access log is rotated by copying: a line that is written just then may be lost",
            f"let {user} search it, or set state_dir to a folder elsewhere",
        )
