"""
plain.py with what goes wrong in real life: `frail.py WHERE`.

It takes as many seconds to start as the file slow-start says meanwhile. SIGUSR2 has it let its socket go and live on;
/ws is answered as a WebSocket that never ends; after as many requests as the file `recycle` says it ends by itself.
"""

import os
import pathlib
import signal
import sys
import threading
import time

import plain

served = 0
listener = None


def setting(name):
    path = pathlib.Path(name)
    return float(path.read_text()) if path.exists() else 0


def converse(connection):
    global served
    with connection, connection.makefile("rb") as stream:
        while request := plain.read(stream):
            method, path, headers, body = request
            if path == "/ws":
                connection.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
                stream.read()
                return
            connection.sendall(plain.answer(method, path, body))
            served += 1
            if served == setting("recycle"):
                threading.Timer(0.2, os._exit, [0]).start()
            if headers.get("connection") == "close":
                return


def let_go(*_):
    listener.close()
    print("let go", flush=True)
    while True:
        signal.pause()


signal.signal(signal.SIGUSR2, let_go)
begun = time.monotonic()
while time.monotonic() < begun + setting("slow-start"):
    time.sleep(0.05)
listener = plain.listen(sys.argv[1])
while True:
    connection, _ = listener.accept()
    threading.Thread(target=converse, args=(connection,), daemon=True).start()
