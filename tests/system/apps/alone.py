"""
plain.py that bears no other version beside it: where one runs it ends at once.

Its version is in RELEASE. It takes BOOT seconds to start. A version that begins with "dies" ends then, "errs" answers
500, "hangs" never listens.
"""

import fcntl
import os
import sys
import time

import plain

plain.VERSION = os.environ["RELEASE"]
lock = open("alone.lock", "a")  # noqa: SIM115  (held until the end)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("another version runs")
time.sleep(float(os.environ.get("BOOT", "0.5")))
if plain.VERSION.startswith("dies"):
    sys.exit("told to die")
if plain.VERSION.startswith("hangs"):
    time.sleep(600)
if plain.VERSION.startswith("errs"):
    plain.answer = lambda method, path, body: plain.whole("500 Oops", b"")
plain.main(sys.argv[1])
