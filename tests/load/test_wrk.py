"""wrk, a tool that others wrote, sees the same share of failures on the same server."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable

import pytest

from tests.machine import patiently
from zdd.load import Load, Spec

from .server import Server, every, reset, say

ERROR = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def wrk(target: str, seconds: float) -> dict[str, int]:
    """What wrk counted in this time: answers, errors (not 2xx or 3xx), reads that failed."""
    program = shutil.which("wrk")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("wrk is missing: apt-get install wrk")
        pytest.skip("wrk is missing: apt-get install wrk")
    run = subprocess.run(
        [program, "-t1", "-c8", f"-d{seconds:.0f}s", f"http://{target}/"], capture_output=True, check=True
    )
    patterns = {
        "answers": rb"(\d+) requests in",
        "errors": rb"Non-2xx or 3xx responses: (\d+)",
        "reads": rb"read (\d+)",
    }
    found = {name: re.search(pattern, run.stdout) for name, pattern in patterns.items()}
    return {name: int(match[1]) if match else 0 for name, match in found.items()}


@pytest.mark.parametrize(("outcome", "special"), [("5xx", lambda connection: say(connection, ERROR)), ("reset", reset)])
def test_wrk_sees_the_same_share_of_failures(outcome: str, special: Callable[[socket.socket], bool]) -> None:
    with Server(every(10, special)) as server, Load(Spec(server.target, rate=1000, seconds=0.5)) as running:
        ours = running.wait()
    our_share = ours.failed[outcome] / ours.requests
    assert ours.failed == {outcome: 50}

    def attempt(seconds: float) -> None:
        with Server(every(10, special)) as server:
            theirs = wrk(server.target, seconds)
        their_share = (theirs["errors"] + theirs["reads"]) / (theirs["answers"] + theirs["reads"])
        assert theirs["answers"] > 100
        assert their_share == pytest.approx(our_share, abs=0.01)

    patiently(attempt, 1, 20)
