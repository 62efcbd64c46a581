"""
One question to many keepers at once.

All are asked before the first answer is awaited, so keepers that hang cost the patience for one. Only the number of
open descriptors bounds how many are asked at the same time.
"""

from __future__ import annotations

import contextlib
import json
import select
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from zdd.host import netlink, sock_diag
from zdd.host.light import socket
from zdd.keeper import VERSION, client, message

Answers = dict[str, dict[str, Any]]  # by control path

_FEW = 4  # keepers that count for themselves: of 8,000 sockets a list takes 12 ms here, 1.6 to 3.4 in each of them
_AT_ONCE = 512  # of the 1,024 descriptors that a process usually has
_AGAIN = 0.01  # seconds between connects to a keeper whose queue is full


def ask(control_paths: Iterable[str], op: str, timeout: float = client.PATIENCE, **args: object) -> Answers:
    """
    Return the answers, by control path; those of keepers that are gone or hang are missing.

    A keeper hangs if for `timeout` seconds neither it nor any other has answered: a thousand that answer take their
    time on a busy machine. Raises UsageError if a keeper is of another zddeploy that does not know this request.
    """
    request = json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n"
    asked, answers, until = _Asked(control_paths, request), Answers(), time.monotonic() + timeout
    while asked.is_under_way:
        gone = asked.begin()
        ended = asked.read(0.0 if gone else until - time.monotonic())
        if ended or not asked.is_under_way:
            until = time.monotonic() + timeout
        elif time.monotonic() >= until:
            until = time.monotonic() + timeout
            ended = asked.give_up()
        for call in (*gone, *ended):
            call.close()
            if answer := client.answer_in(call.received, op):
                answers[call.path] = answer
    for path in [path for path, answer in answers.items() if client.is_refused(answer)]:
        del answers[path]
        with contextlib.suppress(client.Gone):
            answers[path] = client.ask(path, op, timeout, **args)  # in the version of an older keeper
    return answers


def status(control_paths: Iterable[str]) -> Answers:
    """Return the answers to `status` with the number of connections of each instance; see `ask`."""
    paths = list(control_paths)
    return ask(paths, "status") if len(paths) <= _FEW else counted(where(paths))


def where(control_paths: Iterable[str]) -> Answers:
    """Return brief answers to `status`, from which `counted` goes on; see `ask`."""
    return ask(control_paths, "status", brief=True, where=True)


def counted(answers: Answers) -> Answers:
    """
    Add the number of connections to the answers of `where`.

    A keeper has the kernel list all sockets of the machine for that. A thousand would do so a thousand times, and the
    list grows with them; so it is read once for all. But a keeper whose listener is not in our list is in another
    network namespace: it counts for itself. So does one that has a port, or whose nginx is elsewhere.
    """
    counts = _connections() if len(answers) > _FEW else {}
    known = {}
    for path, answer in answers.items():
        files = [(device, inode) for device, inode in answer.get("files", ())]
        if "files" in answer and all(file in counts for file in files):
            known[path] = answer | {"connections": sum(counts[file] for file in files)}
    return known | ask(answers.keys() - known.keys(), "status")


def _connections() -> dict[sock_diag.File, int]:
    """Return how many connections each listening file has; nothing where the kernel does not show it."""
    try:
        return sock_diag.connections_to_listeners()
    except netlink.Unavailable:
        return {}


class _Asked:
    """Keepers that are being asked; each turn looks only at those of which there is news: there may be a thousand."""

    def __init__(self, control_paths: Iterable[str], request: bytes) -> None:
        self.request = request
        self._waiting = deque(control_paths)
        self._unsent: list[_Call] = []  # to keepers whose queue was full
        self._sent: dict[int, _Call] = {}
        self._poller = select.poll()

    @property
    def is_under_way(self) -> bool:
        """Whether some have not answered yet."""
        return bool(self._waiting or self._unsent or self._sent)

    def begin(self) -> list[_Call]:
        """Ask as many as there are descriptors, and those again whose queue was full; return those that are gone."""
        calls, self._unsent = self._unsent, []
        while self._waiting and len(self._sent) + len(calls) < _AT_ONCE:
            try:
                calls.append(_Call(self._waiting[0]))
            except OSError:  # no descriptor is free: the rest is asked when some have answered
                if not calls and not self._sent:
                    raise
                break
            self._waiting.popleft()
        for call in calls:
            if call.send(self.request):
                self._sent[call.fileno()] = call
                self._poller.register(call.fileno(), select.POLLIN)
            elif not call.has_ended:
                self._unsent.append(call)
        return [call for call in calls if call.has_ended]

    def read(self, seconds: float) -> list[_Call]:
        """Wait at most this long until a keeper answers, and read what has come; return those that have ended."""
        if self._unsent:
            seconds = min(seconds, _AGAIN)
        ended = []
        for number, _ in self._poller.poll(max(0.0, seconds) * 1000):
            self._sent[number].read()
            if self._sent[number].has_ended:
                self._poller.unregister(number)
                ended.append(self._sent.pop(number))
        return ended

    def give_up(self) -> list[_Call]:
        """Return all that have not ended, and forget them."""
        for number in self._sent:
            self._poller.unregister(number)
        calls = [*self._sent.values(), *self._unsent]
        self._sent, self._unsent = {}, []
        return calls


class _Call:
    """One keeper that is being asked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.received = b""
        self.has_ended = False
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, request: bytes) -> bool:
        """Send the question; return whether it is sent: a keeper whose queue is full is asked again later."""
        try:
            self._connection.connect(self.path)
            self._connection.sendall(request)
        except BlockingIOError:
            return False
        except OSError:
            self.has_ended = True
            return False
        return True

    def read(self) -> None:
        """Read what has come of the answer."""
        try:
            data = self._connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.received += data
        self.has_ended = not data or b"\n" in data or len(self.received) > message.LONGEST

    def close(self) -> None:
        self._connection.close()
