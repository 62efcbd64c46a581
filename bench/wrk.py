"""wrk, which keeps connections busy: what they can get at most (github.com/wg/wrk)."""

from __future__ import annotations

import re
import subprocess

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def wrk(url: str, seconds: int, connections: int = 32) -> dict[str, float]:
    """Return requests a second, the 99th percentile in seconds, and how many were not answered as they should be."""
    command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    assert rate
    assert p99, text
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "rate": float(rate[1]),
        "p99": float(p99[1]) * _UNITS[p99[2]],
        "failed": float(failed[1]) if failed else 0.0,
    }
