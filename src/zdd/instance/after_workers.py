"""
Waits for nginx workers of before a reload to end, then becomes the classic service's stop command.

A worker that is shutting down may still hold a request whose body it has not read whole, and will connect to the old
instance only then. Run as a program of its own (`PYTHON -I -S after_workers.py SECONDS PID:START,... -- STOP...`), so
that it goes on when the command line is done; exec(2) keeps its process number, which zdd has written down.
"""

import os
import sys
import time


def main() -> None:
    """Wait at most SECONDS, then run STOP."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from zdd.host.process import Process

    seconds, workers = float(sys.argv[1]), sys.argv[2]
    stop = sys.argv[sys.argv.index("--") + 1 :]
    deadline = time.monotonic() + seconds
    for worker in filter(None, workers.split(",")):
        pid, _, start_time = worker.partition(":")
        Process(int(pid), int(start_time)).wait(deadline - time.monotonic())
    try:
        os.execvp(stop[0], stop)
    except OSError as error:
        sys.exit(f"zdd: cannot run {stop[0]!r}: {error.strerror}")


if __name__ == "__main__":
    main()
