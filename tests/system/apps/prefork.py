"""
plain.py by a master and two workers: `prefork.py WHERE`.

At SIGTERM a worker accepts nothing more, answers whom it has, waits until nginx has closed its connections, and ends.
"""

import os
import select
import signal
import sys
import threading
import time

import plain


def work(listener):
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGTERM, lambda *_: None)
    while told not in select.select([listener, told], [], [])[0]:
        try:
            connection = listener.accept()[0]
        except BlockingIOError:  # the other worker was quicker
            continue
        connection.setblocking(True)
        threading.Thread(target=plain.converse, args=(connection,), daemon=True).start()
    while threading.active_count() > 1:
        time.sleep(0.01)


if __name__ == "__main__":
    listening = plain.listen(sys.argv[1])
    listening.setblocking(False)
    for _ in range(2):
        if os.fork() == 0:
            work(listening)
            os._exit(0)
    while True:
        signal.pause()
