"""Why a release could not be built, in words for somebody who was not there."""

from __future__ import annotations

import shutil

from zdd.errors import DeployFailed, of_system

_SHOWN_LINES = 20


class BuildFailed(DeployFailed):
    """No release was built, and nothing of it is left: `output` is the last it printed, `log` has the rest."""

    def __init__(self, message: str, output: list[str], log: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output[-_SHOWN_LINES:]
        self.log = log


def words(error: OSError) -> str:
    """Say in one line what the system refused, and for which file; of many refusals (shutil.Error) the first."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        source, _, why = error.args[0][0]
        return str(why) if str(source) in str(why) else f"{source}: {why}"
    return of_system(error)
