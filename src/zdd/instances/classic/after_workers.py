"""
Waits until nginx's old workers have ended, then becomes the classic service's stop command.

A worker that is shutting down may still read a request's body, and connects to the old instance only afterwards. This
is a program of its own (`PYTHON -I -S after_workers.py SECONDS PID:START,... PID:START -- STOP...`), so it survives the
command line. exec(2) keeps its process number, which zdd has recorded. The second PID:START is the instance, "" where
only root decides which process that is: if it has ended, another process may have its number, so nothing is stopped.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # as a program it finds zdd only once it runs
    from collections.abc import Sequence

    from zdd.host.process import Process


def command(seconds: float, workers: Sequence[Process], instance: Process | None, stop: Sequence[str]) -> list[str]:
    """Return the command that runs this program; `instance` is checked before `stop` is run, if it is given."""
    waited_for = ",".join(map(_identity, workers))
    checked = _identity(instance) if instance else ""
    return [sys.executable, "-I", "-S", __file__, str(seconds), waited_for, checked, "--", *stop]


def _identity(process: Process) -> str:
    return f"{process.pid}:{process.start_time}"


def main() -> None:
    """Wait at most SECONDS, then run STOP."""
    sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/../../..")
    from zdd.host.process import Process

    _, seconds, workers, instance, _, *stop = sys.argv
    deadline = time.monotonic() + float(seconds)

    def named(words: str) -> Process:
        return Process(*map(int, words.split(":")))

    for worker in filter(None, workers.split(",")):
        named(worker).wait(deadline - time.monotonic())
    if instance and not named(instance).alive():
        return
    try:
        os.execvp(stop[0], stop)
    except OSError as error:
        sys.exit(f"zdd: cannot run {stop[0]!r}: {error.strerror}")


if __name__ == "__main__":
    main()
