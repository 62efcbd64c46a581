"""Print how much longer than bare Python the program takes to start: the median of some runs of each, in turns."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
RUNS = 10


def milliseconds(*command: str | Path) -> float:
    """Return how long the command takes."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Take turns, so that a busy machine is unfair to both."""
    bare, version = [], []
    for _ in range(RUNS):
        bare.append(milliseconds(sys.executable, "-c", "pass"))
        version.append(milliseconds(BIN / "zddeploy", "--version"))
    before, after = statistics.median(bare), statistics.median(version)
    print(f"python -c pass {before:.0f} ms, zddeploy --version {after:.0f} ms: {after - before:.0f} ms more")


if __name__ == "__main__":
    main()
