"""
A web service by the classic contract, quick to start: `classic_web.py NAME [-D]`, run in the project's folder.

Its version is what VERSION holds. It answers with NAME and version, a POST with the body; /slow takes a second, /health
is answered with the status in the file `health`. With -D it forks away once it is ready.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time


def main(name: str, *options: str) -> None:
    if "-D" in options:
        if os.fork():
            os._exit(0)
        os.setsid()
    with open("VERSION") as file:
        version = file.read().strip()
    print(f"{name} {version} starts", flush=True)
    listener = socket.create_server(("127.0.0.1", 0), backlog=511)
    write(f"{os.getpid()}.port", listener.getsockname()[1])
    write(f"{name}.pid", os.getpid())
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, f"{name} {version}"), daemon=True).start()


def serve(connection: socket.socket, release: str) -> None:
    with connection, connection.makefile("rb") as stream:
        line = stream.readline()
        if not line:  # zdd only looks whether somebody listens
            return
        method, path, _ = line.decode().split(" ", 2)
        headers = {}
        while line := stream.readline().strip():
            field, _, value = line.decode().partition(":")
            headers[field.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        status = "200"
        if path == "/slow":
            time.sleep(1)
        elif path == "/health":
            with open("health") as file:
                status = file.read().strip()
        answer = body if method == "POST" else f"{release}\n".encode()
        head = f"HTTP/1.1 {status} As told\r\nContent-Length: {len(answer)}\r\nX-Release: {release}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + answer)


def write(path: str, number: int) -> None:
    with open(f"{path}.tmp", "w") as file:
        file.write(f"{number}\n")
    os.rename(f"{path}.tmp", path)


main(*sys.argv[1:])
