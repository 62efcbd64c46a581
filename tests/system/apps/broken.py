"""
A release that is broken in the way that the file MODE names when it starts; in mode `well` it is plain.py.

Whatever it starts writes its process number into the file `born`, so that a test finds who is left.
"""

import os
import pathlib
import signal
import socket
import sys
import time

import plain


def main(mode, where):
    note_birth()
    if mode == "well":
        plain.main(where)
    globals()[mode](where)


def note_birth():
    with open("born", "a") as file:
        file.write(f"{os.getpid()}\n")


def crashes_at_import(where):
    import shop  # noqa: F401  (there is none)


def exits_0(where):
    print("nothing to do")


def exits_after_a_second(where):
    time.sleep(1)
    sys.exit("the database says no")


def is_killed(where):
    os.kill(os.getpid(), signal.SIGSEGV)


def never_listens(where):
    time.sleep(600)


def ignores_sigterm(where):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def listens_elsewhere(where):
    plain.serve(plain.listen(os.environ["ELSEWHERE"]), plain.converse)


def closes_its_socket(where):
    os.close(int(where))
    time.sleep(600)


def shuts_its_socket_down(where):
    plain.listen(where).shutdown(socket.SHUT_RDWR)
    time.sleep(600)


def forks_away(where):
    for _ in range(2):
        if os.fork():
            os._exit(0)
        os.setsid()
    note_birth()
    plain.main(where)


def talks_too_much(where):
    for _ in range(1000):
        sys.stdout.write("bla " * 25_000 + "\n")
    sys.exit("these are my last words")


def never_answers(where):
    plain.serve(plain.listen(where), lambda connection: time.sleep(600))


def speaks_no_http(where):
    said = b"SSH-2.0-OpenSSH_9.2\r\n"
    plain.serve(plain.listen(where), lambda connection: (connection.sendall(said), connection.close()))


def hangs_up(where):
    plain.serve(plain.listen(where), lambda connection: connection.close())


def answers(status, more=""):
    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            plain.read(stream)
            connection.sendall(plain.whole(status, b"out of order\n", more))

    return lambda where: plain.serve(plain.listen(where), converse)


answers_500 = answers("500 Internal Server Error")
answers_404 = answers("404 Not Found")
answers_301 = answers("301 Moved", "Location: https://shop.example/\r\n")


def hangs_up_on_proxies(where):
    """Zdd's own request has no such header."""

    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            method, path, headers, body = plain.read(stream)
            if "x-forwarded-for" not in headers:
                connection.sendall(plain.answer(method, path, body))

    plain.serve(plain.listen(where), converse)


def dies_in_the_bake(where):
    with open("dies", "w"):
        pass
    plain.threading.Timer(1.0, os._exit, [1]).start()
    plain.main(where)


if __name__ == "__main__":
    main(pathlib.Path("MODE").read_text(), sys.argv[1])
