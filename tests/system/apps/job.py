"""A worker that has begun a job when it is told to stop: it finishes it once the file `done` is there."""

import os
import pathlib
import signal
import time

VERSION = pathlib.Path("VERSION").read_text().strip()

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: print(f"told to stop, but version {VERSION} is at work", flush=True))
    while not os.path.exists("done"):
        time.sleep(0.05)
    print(f"version {VERSION} has finished its job", flush=True)
