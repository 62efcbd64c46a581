"""
A release that is broken in a way of its name: `broken.py WAY WHERE`; else it is plain.py.

Whatever it starts writes its process number into the file `born`, so that a test finds who is left.
"""

import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

import plain

BAKING = pathlib.Path("baking-2")


def note_birth():
    with open("born", "a") as file:
        file.write(f"{os.getpid()}\n")


def crashes_at_import(where):
    import shop  # noqa: F401  (there is none)


def exits_0(where):
    print("nothing to do")


def exits_after_3_s(where):
    time.sleep(3)
    sys.exit("the database says no")


def is_killed(where):
    os.kill(os.getpid(), signal.SIGKILL)


def breaks_memory(where):
    os.kill(os.getpid(), signal.SIGSEGV)


def runs_out_of_memory(where):
    """In a control group that has little of it."""
    pathlib.Path(os.environ["GROUP"], "cgroup.procs").write_text(str(os.getpid()))
    print("loading the model", flush=True)
    held = [bytearray(b"x" * 1_000_000) for _ in range(1000)]
    sys.exit(f"loaded {len(held)}")


def hangs(where):
    time.sleep(600)


def ignores_sigterm(where):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def listens_elsewhere(where):
    plain.serve(plain.listen(os.environ["ELSEWHERE"]), plain.converse)


def listens_at_another_path(where):
    plain.serve(plain.listen(os.path.abspath("another.sock")), plain.converse)


def insists_on_a_port(where):
    plain.listen(os.environ["TAKEN"])


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


def forks_away_once_it_has_answered(where):
    ready, answered = os.pipe()
    if os.fork():
        os.read(ready, 1)
        os._exit(0)
    os.setsid()

    def converse(connection):
        plain.converse(connection)
        os.write(answered, b".")

    plain.serve(plain.listen(where), converse)


def has_workers_that_die(where):
    """Its first process starts them again and again, as puma and unicorn do."""
    fork_again_and_again(lambda: {}["DATABASE_URL"], 10_000)


def forks_much_and_serves_then(where):
    """The same from outside, but nothing fails that is needed."""
    print("ERROR cannot load the plugin for colours", flush=True)
    fork_again_and_again(lambda: None, 60)
    plain.main(where)


def fork_again_and_again(work, times):
    for _ in range(times):
        if not os.fork():
            note_birth()
            time.sleep(0.1)
            work()
            os._exit(0)
        os.wait()


def launches(where):
    """As mlflow does: its server gets no descriptor but the first three."""
    how = os.environ["LAUNCHES"].split()
    sys.exit(subprocess.run([sys.executable, *how, where], check=False).returncode)


def talks_too_much(where):
    for _ in range(1000):
        sys.stdout.write("bla " * 25_000 + "\n")
    print(flush=True)
    sys.exit("these are my last words")


def never_answers(where):
    plain.serve(plain.listen(where), lambda connection: time.sleep(600))


def answers_late(where):
    def converse(connection):
        time.sleep(2)
        plain.converse(connection)

    plain.serve(plain.listen(where), converse)


def speaks_no_http(where):
    said = b"SSH-2.0-OpenSSH_9.2\r\n"
    plain.serve(
        plain.listen(where), lambda connection: (connection.recv(999), connection.sendall(said), connection.close())
    )


def hangs_up(where):
    plain.serve(plain.listen(where), lambda connection: connection.close())


def answers(status, more=""):
    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            plain.read(stream)
            connection.sendall(plain.whole(status, b"out of order\n", more))

    return lambda where: plain.serve(plain.listen(where), converse)


def answers_500_and_ignores_sigterm(where):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answers("500 Internal Server Error")(where)


answers_400 = answers("400 Bad Request")
answers_401 = answers("401 Unauthorized")
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


def keeps_proxies_waiting(where):
    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            method, path, headers, body = plain.read(stream)
            if "x-forwarded-for" in headers:
                time.sleep(600)
            connection.sendall(plain.answer(method, path, body))

    plain.serve(plain.listen(where), converse)


def serves_and_ignores_sigterm(where):
    """If TAKEN says so, on a port of its own as well, as for metrics."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    own = plain.listen(os.environ["TAKEN"]) if "TAKEN" in os.environ else None
    plain.main(where)
    own.close()


def dies_once_it_is_switched_to(where):
    """It is asked whether it is healthy, accepts nobody else, and ends; each of its restarts ends like it."""
    listener, current = plain.listen(where), pathlib.Path("R/current")

    def is_ours():
        return os.path.basename(os.readlink(current)) == "2"

    if not is_ours():
        plain.converse(listener.accept()[0])
    while not is_ours():
        time.sleep(0.01)
    sys.exit("the queue is gone")


def dies_in_the_bake(where):
    """In the middle of no request: that one would be lost, and nobody could help it."""
    listener, at_work = plain.listen(where), []

    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            method, path, _, body = plain.read(stream)
            connection.sendall(plain.answer(method, path, body, "Connection: close\r\n"))

    print("so far, so good", flush=True)
    while not BAKING.exists():
        if select.select([listener], [], [], 0.05)[0]:
            at_work.append(plain.threading.Thread(target=converse, args=listener.accept()[:1]))
            at_work[-1].start()
    for one in at_work:
        one.join()
    os._exit(1)


def hangs_in_the_bake(where):
    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            while request := plain.read(stream):
                if request[1] == "/health" and BAKING.exists():
                    BAKING.with_name("asked").touch()
                    time.sleep(600)
                connection.sendall(plain.whole("200 OK", b""))

    plain.serve(plain.listen(where), converse)


def sickens_in_the_bake(where):
    def converse(connection):
        with connection, connection.makefile("rb") as stream:
            while request := plain.read(stream):
                sick = request[1] == "/health" and BAKING.exists()
                connection.sendall(plain.whole("503 Service Unavailable" if sick else "200 OK", b"no database\n"))

    plain.serve(plain.listen(where), converse)


if __name__ == "__main__":
    note_birth()
    globals()[sys.argv[1]](sys.argv[2])
