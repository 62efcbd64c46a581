"""The user's own way of asking an instance whether it is well: a command that exits 0, run as the app is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from zdd.host.command import Commands, Identity
from zdd.host.process import ended

_SHOWN = 200  # characters of what it printed


def ask(
    command: str,
    record: Mapping[str, Any],
    port: int | None,
    commands: Commands,
    seconds: float,
    interrupt: Callable[[], None],
) -> str | None:
    """
    Run the command as the user that the app runs as, in its folder, with its environment; returns what is wrong.

    Where the app listens is in PORT or else ZDD_SOCKET. `record` is what the instance's keeper was told. After
    `seconds` it is killed; `interrupt` may raise at any time.
    """
    ours = {"ZDD_SOCKET": record.get("keep") or record["path"]} if port is None else {"PORT": str(port)}
    env = {name: value.replace("{port}", str(port)) for name, value in record["env"].items()} | ours
    who = Identity(record["uid"], record["gid"], record["groups"])
    try:
        result = commands.run(["/bin/sh", "-ec", command], record["cwd"], env, seconds, who, interrupt)
    except OSError as error:
        return f"health_command cannot be run: {error.strerror or os.strerror(error.errno or 0)}"
    if result.status == 0:
        return None
    said = " ".join(result.output.split())[-_SHOWN:]
    return f"health_command ended with {ended(result.status)}" + (f": {said}" if said else " and printed nothing")
