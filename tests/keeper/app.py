"""
A small web server on whatever zdd gives it; the request's path says what to do. Run on its own, never imported.

Its first line of output is "up"; each request is a line "got PATH".
"""

import json
import os
import socket
import sys
import threading
import time


def listen() -> socket.socket:
    if "LISTEN_FDS" in os.environ:
        assert os.environ["LISTEN_PID"] == str(os.getpid()), "LISTEN_PID names another process"
        found = socket.socket(fileno=3)
        found.listen(int(os.environ.get("BACKLOG", "100")))
        return found
    if "PORT" in os.environ:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", int(os.environ["PORT"])))
    else:
        found = socket.socket(socket.AF_UNIX)
        if "STALE" in os.environ:  # as a server that leaves its socket behind
            assert not os.path.exists(sys.argv[1])
        found.bind(sys.argv[1])
    found.listen(100)
    return found


def look() -> dict[str, object]:
    mask = os.umask(0)
    os.umask(mask)
    return {
        "environ": dict(os.environ),
        "argv": sys.argv[1:],
        "umask": mask,
        "cwd": os.getcwd(),
        "session": os.getsid(0),
        "pid": os.getpid(),
        "uid": os.getuid(),
        "groups": os.getgroups(),
        "nice": os.nice(0),
        "status": STATUS,
        "fds": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd in KNOWN},
    }


def answer(path: str) -> str:
    word, _, rest = path.strip("/").partition("/")
    if word == "exit":
        os._exit(int(rest))
    elif word == "wait":
        while not os.path.exists(f"{os.environ['HERE']}/{rest}"):
            time.sleep(0.005)
    elif word == "look":
        return json.dumps(look())
    elif word == "unlink-own-name":
        os.unlink(listening.getsockname())
    elif word == "listen":
        listening.listen(int(rest))
    elif word == "let-go":
        listening.close()
    elif word == "shutdown":
        listening.shutdown(socket.SHUT_RDWR)
    elif word == "nonblocking":
        listening.setblocking(False)
    return str(os.getpid())


def serve(connection: socket.socket) -> None:
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return
            request += data
        path = request.split()[1].decode()
        print("got", path, flush=True)
        said = os.environ.get("STATUS", "200 OK")
        text = answer(path)
        head = f"HTTP/1.1 {said}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + text).encode())


def accept() -> None:
    while True:
        try:
            connection = listening.accept()[0]
        except BlockingIOError:
            time.sleep(0.005)
            continue
        except OSError:
            threading.Event().wait()  # shut down: alive, and deaf
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


KNOWN = os.listdir("/proc/self/fd")[:-1]  # the last one is the folder itself
with open("/proc/self/status") as status:
    STATUS = status.read()
if "PRELUDE" in os.environ:
    exec(os.environ["PRELUDE"])
listening = listen()
print("up", os.getpid(), flush=True)
accept()
