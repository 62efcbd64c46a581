"""How far a table has come, and what follows from that for everybody who decides anything about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Stage = Literal["trying", "prepared", "canary", "committed"]


class Rule(NamedTuple):
    """
    What becomes of a table whose zddeploy is dead.

    `unfinished`: the next changing command undoes it, or finishes it if it has switched. `is_version`: a
    reboot, an up or a rollback can start it, and the tables before it were replaced. What its keepers do follows from
    `current` and from the manifest's `exposed`.
    """

    unfinished: bool
    is_version: bool


RULES: dict[Stage, Rule] = {
    # written before the first start
    "trying": Rule(unfinished=True, is_version=False),
    # all proved, nothing switched: it waits until its time is over
    "prepared": Rule(unfinished=False, is_version=False),
    # some slots lead to it: the share stays as it is until a person decides
    "canary": Rule(unfinished=False, is_version=False),
    # from here on nothing is undone
    "committed": Rule(unfinished=False, is_version=True),
}
