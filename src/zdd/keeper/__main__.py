"""Run as `PYTHON -I -S .../zdd/keeper/__main__.py RECORD`."""

import gc
import os
import sys

if __name__ == "__main__":
    # At the end of the path: modules beside zdd must not hide those of the standard library.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    gc.disable()  # what modules make stays: nobody searches it for garbage
    from zdd.keeper.run import main

    gc.freeze()
    gc.enable()
    os._exit(main(sys.argv[1]))  # nothing is left to do, and Python's own end would take another 3 ms
