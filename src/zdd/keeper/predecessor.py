"""
An instance of the version before that cannot serve again: nothing of it may run once this version starts.

In a deploy the command line makes sure of that. If it was killed, perhaps together with the old version's keeper, the
new version's keeper does.
"""

from __future__ import annotations

from zdd.host import files, process
from zdd.host.light import signal
from zdd.host.process import Process
from zdd.keeper import kills
from zdd.keeper.app import send
from zdd.keeper.listener import count_connections
from zdd.keeper.record import Record, living

_SHARE = 0.5  # of hold_max, in which requests may finish, as in a deploy
_PATIENCE = 5.0  # seconds of killing: what cannot be killed (state D) is left, since nothing else can be done


class Predecessor:
    """
    Ends what is left of the instance: its app is drained, told to stop, and killed after its stop_timeout.

    A keeper that answers does that itself, so it gets the time for it. One that hangs is killed first, since it might
    start its app again.
    """

    def __init__(self, control: str, ours: Record, answers: bool, now: float) -> None:
        name = control.removesuffix(".sock")
        self._record, self._pids = Record.find(f"{name}.json"), f"{name}.pids"
        times = self._record or ours  # of the same service, if the record is damaged
        self._stop_signal, self._stop_timeout = times.stop_signal, times.stop_timeout
        drain = min(times.drain_timeout, ours.hold_max * _SHARE)
        self._drained_by = now + (times.drain_timeout if answers else drain)
        self._ours_from = self._drained_by + times.stop_timeout if answers else now
        self._app: Process | None = None
        self._running: set[Process] = set()  # the app and the processes below it
        self._told: set[Process] = set()  # to stop
        self._kill_at = 0.0
        self._is_killed = self._is_keeper_killed = False

    def end(self, now: float) -> bool:
        """Go on ending it; return whether nothing of it runs any more."""
        pids = files.read_object(self._pids)
        keeper = living(pids.get("keeper"))
        self._look(living(pids.get("app")))
        is_ours = keeper is None or now >= self._ours_from
        if keeper and is_ours and not self._is_keeper_killed:
            self._is_keeper_killed = True
            send(keeper, signal.SIGKILL)
            return False  # it may just have started its app
        if not self._running:
            return True
        if self._told and now >= self._kill_at:
            self._kill()
            return now >= self._kill_at + _PATIENCE
        if self._told or (is_ours and (now >= self._drained_by or not self._is_connected())):
            self._kill_at = self._kill_at or now + self._stop_timeout
            self._tell()
        return False

    def _look(self, app: Process | None) -> None:
        if app:
            below = (Process.find(pid) for pid in process.descendants(app.pid))
            self._app, self._running = app, {app, *self._running, *(child for child in below if child)}
        self._running = {each for each in self._running if each.alive()}

    def _is_connected(self) -> bool:
        try:
            return self._record is not None and count_connections(self._record, self._record.keep) > 0
        except OSError:  # the kernel does not show sockets: the time decides
            return True

    def _tell(self) -> None:
        """Tell the app to stop, which knows how to stop its workers; once it has ended, tell those that it has left."""
        which = self._running & {self._app} or self._running
        for each in which - self._told:
            send(each, self._stop_signal)
        self._told |= which

    def _kill(self) -> None:
        if self._record and not self._is_killed:
            whose, is_whole, seconds = self._record, self._app in self._running, self._stop_timeout
            limit = kills.stop_timeout(seconds)
            kills.note(whose.kills, whose.instance, whose.service, is_whole=is_whole, limit=limit, after=seconds)
        self._is_killed = True
        for each in self._running:
            send(each, signal.SIGKILL)
