"""
How property tests run: `holds` makes one.

`./dev test` tries a fixed sample of examples, so a run is never red by chance and never slow for its machine. With
ZDD_FUZZ_SECONDS, which `./dev fuzz` sets, each property is tried with new examples for that long.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

SECONDS = float(os.environ.get("ZDD_FUZZ_SECONDS", "0"))
_AT_ONCE = 500  # examples between two looks at the clock
# A slow machine is no fault: nothing here depends on how long an example takes.
_ANYWHERE = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False)

_SHOWN_WHOLE = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of an example that fails


def holds(
    *values: SearchStrategy[Any], examples: int = 100, **named: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test of a function that says what holds for all these values; `examples` are tried in a short run."""

    def make(body: Callable[..., None]) -> Callable[..., None]:
        short = settings(_ANYWHERE, max_examples=examples, derandomize=True)(given(*values, **named)(body))
        test: Callable[..., None] = _SHOWN_WHOLE(_for_long(short, body, values, named) if SECONDS else short)
        return test

    return make


def _for_long(
    short: Callable[..., None],
    body: Callable[..., None],
    values: tuple[SearchStrategy[Any], ...],
    named: dict[str, SearchStrategy[Any]],
) -> Callable[..., None]:
    @functools.wraps(short)
    def long(*args: Any, **fixtures: Any) -> None:
        tried, until = 0, math.inf

        @functools.wraps(body)
        def counted(*args: Any, **kwargs: Any) -> None:
            nonlocal tried, until
            if time.monotonic() < until:
                tried += 1
                try:
                    body(*args, **kwargs)
                except BaseException:
                    until = math.inf  # a failure is tried again until its example is small
                    raise

        begun, first = time.monotonic(), random.SystemRandom().randrange(1 << 60)
        until = begun + SECONDS
        for number in itertools.count(first):
            examples = settings(_ANYWHERE, max_examples=_AT_ONCE)(given(*values, **named)(counted))
            seed(number)(examples)(*args, **fixtures)
            if time.monotonic() > until:
                break
        print(f"{tried} examples in {time.monotonic() - begun:.0f} s")

    return long
