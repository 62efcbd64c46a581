"""
Runs a program of Python that is killed (-9) when it is about to switch for the COUNT-th time: `COUNT PROGRAM ARGS...`.

The switch is a rename onto `current`. The interpreter tells of each rename, whatever part of the program it is in.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

left = int(sys.argv[1])


def look(event: str, args: tuple[object, ...]) -> None:
    global left
    if event == "os.rename" and os.path.basename(str(args[1])) == "current":
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(look)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
