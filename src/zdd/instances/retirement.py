"""Retiring many instances: their keepers are all asked before the first answer is awaited."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct

from zdd.host.process import Process
from zdd.instances.driver import Driver
from zdd.keeper import survey


class Retirement(Struct, frozen=True):
    """An instance, and the arguments of its `retire`."""

    driver: Driver
    warm: float
    workers: Sequence[Process]


def retire(retirements: Sequence[Retirement]) -> None:
    """Retire these instances, those without a keeper that answers one after the other. See Driver.retire."""
    alike: dict[str, list[tuple[str, Retirement]]] = {}  # by the arguments: most have the same times
    one_by_one: list[Retirement] = []
    for each in retirements:
        if asked := each.driver.retirement(each.warm, each.workers):
            alike.setdefault(json.dumps(asked.args, sort_keys=True), []).append((asked.control, each))
        else:
            one_by_one.append(each)
    for args, group in alike.items():
        answers = survey.ask([control for control, _ in group], "retire", **json.loads(args))
        one_by_one += [each for control, each in group if control not in answers]
    for each in one_by_one:
        each.driver.retire(each.warm, each.workers)
