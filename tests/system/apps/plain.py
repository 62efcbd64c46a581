"""
A web service of the standard library, quick to start: `plain.py WHERE`.

WHERE is a descriptor, a path, a port (1024 and above), or none for a worker. It answers with its service and what
VERSION held at its start, a POST with the body; /slow/SECONDS takes so long, /slow/FILE until the file is there;
/about tells how it was started, /die ends it. While a file doomed.INSTANCE exists, it dies of itself, and while a file
stillborn.INSTANCE exists, it does not start.
"""

import json
import os
import pathlib
import socket
import sys
import threading
import time

VERSION = pathlib.Path("VERSION").read_text().strip()
NAME = os.environ.get("ZDD_SERVICE", "plain")


def main(where):
    if os.path.exists(f"stillborn.{os.environ.get('ZDD_INSTANCE')}"):
        sys.exit(1)
    threading.Thread(target=die_if_doomed, daemon=True).start()
    if where == "none":
        while True:
            time.sleep(60)
    serve(listen(where), converse)


def listen(where):
    if not where.isdigit():
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
    elif int(where) < 1024:
        return socket.socket(fileno=int(where))
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(where)))
    listener.listen(511)
    return listener


def serve(listener, handle):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def converse(connection):
    with connection, connection.makefile("rb") as stream:
        while request := read(stream):
            method, path, headers, body = request
            connection.sendall(answer(method, path, body))
            if headers.get("connection") == "close":
                return


def read(stream):
    line = stream.readline()
    if not line.strip():
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers = {}
    while line := stream.readline().strip():
        field, _, value = line.decode().partition(":")
        headers[field.lower()] = value.strip()
    return method, path, headers, stream.read(int(headers.get("content-length", "0")))


def answer(method, path, body, more=""):
    path = path.removeprefix("/api")
    if path.startswith("/slow/"):
        be_slow(path.removeprefix("/slow/"))
    elif path == "/die":
        os._exit(1)
    if path == "/about":
        body = json.dumps(about()).encode()
    elif method != "POST":
        body = f"{NAME} {VERSION}\n".encode()
    return whole("200 OK", body, more)


def be_slow(how):
    print("is busy", flush=True)
    if how[0].isdigit():
        time.sleep(float(how))
    while not how[0].isdigit() and not os.path.exists(how):
        time.sleep(0.02)


def whole(status, body, more=""):
    pid = os.getpid()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-Release: {VERSION}\r\nX-Pid: {pid}\r\n{more}\r\n"
    return head.encode() + body


def about():
    groups = [os.getgid(), *os.getgroups()]
    return {"env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "uid": os.getuid(), "groups": groups}


def die_if_doomed():
    while True:
        time.sleep(0.1)
        if os.path.exists(f"doomed.{os.environ.get('ZDD_INSTANCE')}"):
            os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
