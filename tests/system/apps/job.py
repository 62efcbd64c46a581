"""A worker that is at work once there is a file of its name, and finishes its job once the file `done` is there."""

import os
import pathlib
import signal
import time

VERSION = pathlib.Path("VERSION").read_text().strip()

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: print(f"told to stop, but version {VERSION} is at work", flush=True))
    pathlib.Path(os.environ["ZDD_INSTANCE"]).touch()
    while not os.path.exists("done"):
        time.sleep(0.05)
    print(f"version {VERSION} has finished its job", flush=True)
