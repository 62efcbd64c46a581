"""Uses up a file system: `fill.py inodes FOLDER` or `fill.py blocks FOLDER`; returns when nothing more fits."""

import errno
import itertools
import os
import sys

what, folder = sys.argv[1:]
try:
    if what == "blocks":
        with open(f"{folder}/filler", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)
    for number in itertools.count():
        os.close(os.open(f"{folder}/filler.{number}", os.O_WRONLY | os.O_CREAT))
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
