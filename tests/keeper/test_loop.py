"""Deadlines far away, and those that are due."""

from __future__ import annotations

import os
import select

from zdd.keeper.loop import Deadlines, Loop


def test_a_deadline_in_ten_years_does_not_stop_the_loop() -> None:
    now = [0.0]
    deadlines = Deadlines(lambda: now[0])
    called: list[str] = []
    deadlines.at(10 * 365 * 86400.0, lambda: called.append("in ten years"))
    loop = Loop(deadlines)
    with_event(loop)
    loop.turn()
    assert called == []

    now[0] = 11 * 365 * 86400.0
    loop.turn()

    assert called == ["in ten years"]


def with_event(loop: Loop) -> None:
    """Let the loop have something to do, so that it does not wait."""
    reader, writer = os.pipe()
    os.write(writer, b"x")

    def end(_: int) -> None:
        loop.forget(reader)
        os.close(reader)
        os.close(writer)

    loop.watch(reader, select.POLLIN, end)
