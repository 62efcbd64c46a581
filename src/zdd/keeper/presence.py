"""Whether the app still accepts connections: it may run without its socket, so that no process ends or answers."""

from __future__ import annotations

import os

from zdd.host import process, sock_diag
from zdd.keeper.acceptance import Acceptance
from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.part import Shared

_EVERY, _IN_DOUBT = 5.0, 1.0  # seconds between looks
_SLACK = 1.0  # seconds by which a look may come earlier, when the keeper is awake anyway
_ANEW = 6  # looks after which the holder is searched again: it may hold a socket that no longer listens
_SURE, _SURE_OF_SILENCE = 2, 3  # health requests in a row that are refused, or not answered
_PATIENCE = 2.0  # seconds for an answer on a socket that only the app was given, and has closed


class Presence(Part):
    """
    Checks at intervals whether a process of the app still holds the socket, which the keeper may hold, too.

    If none does, a health request decides: an invisible process may hold it, in a container, and may be slow. A wrapper
    may hold it for ever while no process accepts. Then these say the same: the queue is not empty, no connection is
    served, and three health requests are not answered. `absent` is called with the reason. An app that serves a
    connection is busy: it is left alone, and `acceptance` tells how long others have waited.
    """

    def __init__(self, shared: Shared, absent: Callable[[str], None]) -> None:
        super().__init__(shared)
        self.absent = absent
        self.acceptance = Acceptance(shared.listener, self.deadlines.now)
        self._holder: tuple[int, int, int] | None = None  # process, descriptor, inode of the socket
        self._looks = self._doubts = 0
        self._elsewhere = self._asks = False

    def begin(self) -> None:
        """Check from now on: the app serves."""
        self._holder, self._looks, self._doubts = None, 0, 0
        self._elsewhere = self._asks = False
        self.acceptance.forget()
        if self.listener.address is not None:
            self.deadlines.at(_EVERY, self._look)  # not sooner: the health requests of an outage end then

    def pause(self) -> None:
        """Stop checking: the app has ended, or its connections are being counted."""
        self.acceptance.forget()
        self.deadlines.cancel(self._look, self._unanswered)

    def _look_again(self) -> None:
        self.deadlines.at(_EVERY - _SLACK, self._look, _SLACK)

    def _look(self) -> None:
        self._look_again()
        if self.app.pid is None or self.listener.address is None:
            return
        is_stuck = self.acceptance.look()
        if self._elsewhere or self._asks:
            return
        self._looks += 1
        if self._looks % _ANEW == 0:
            self._holder = None
        if self._is_held() and not is_stuck:
            self._doubts = 0
        else:
            self._asks = True
            self.deadlines.at(_PATIENCE if self._is_released else self.record.health["timeout"], self._unanswered)
            self.probe.ask(self.listener.address, self._on_answer)

    def _on_answer(self, status: int | None) -> None:
        if status is None:
            self._doubt(_SURE)
        else:
            self.deadlines.cancel(self._unanswered)
            self._elsewhere = self._holder is None
            self._asks, self._doubts = False, 0

    def _unanswered(self) -> None:
        self._doubt(_SURE if self._is_released else _SURE_OF_SILENCE)

    @property
    def _is_released(self) -> bool:
        """Return whether no process holds the socket, if only the app was given it (a container may bind its own)."""
        return self._holder is None and self.record.kind == "fd"

    def _doubt(self, sure: int) -> None:
        self.deadlines.cancel(self._unanswered)
        self.probe.cancel()
        self._asks = False
        self._doubts += 1
        if self._doubts < sure:
            self.deadlines.at(_IN_DOUBT, self._look)
        elif self._holder:
            self.absent("the app accepts no connections any more")
        else:
            self.absent("the app has let its socket go")

    def _is_held(self) -> bool:
        """Return whether a process of the app holds the socket; True if one hides its descriptors."""
        if self._holder and _has(*self._holder):
            return True
        self._holder = None
        wanted = self.listener.listening()
        if wanted is None:
            return True
        for pid in process.descendants(os.getpid()):
            if process.hides_descriptors(pid):
                self._holder = (pid, -1, 0)
            for inode, number in sock_diag.socket_descriptors(pid):
                if inode in wanted:
                    self._holder = (pid, number, inode)
                    return True
        return self._holder is not None


def _has(pid: int, number: int, inode: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}") == f"socket:[{inode}]"
    except OSError:
        return False
