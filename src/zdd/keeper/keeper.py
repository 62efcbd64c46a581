"""One instance: reports operations, ended processes and deadlines to its lifecycle, and carries out the actions."""

from __future__ import annotations

from zdd.host.light import signal
from zdd.keeper import states
from zdd.keeper.app import NeverRan
from zdd.keeper.app_folders import AppFolders
from zdd.keeper.changes import Changes
from zdd.keeper.drain import Drain, LongLived, Shutdown
from zdd.keeper.hold import Hold
from zdd.keeper.outage import Outage
from zdd.keeper.parking import Parking
from zdd.keeper.part import Part
from zdd.keeper.presence import Presence
from zdd.keeper.runner import Runner
from zdd.keeper.states import Lifecycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.host.process import Process
    from zdd.keeper.app import Ended
    from zdd.keeper.part import Shared

_ATTACH_WITHIN = 10.0  # seconds; nobody waits for it: it ends what a command that was killed has started
_LATECOMERS = 1.0  # nginx may have looked up the path just before it changed: kept 1 s, none was lost (tables.py)


class Keeper(Part):
    """The operations on an instance, what happens to it, and the actions that follow."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.life = Lifecycle(states.HELD if self.record.start_held else states.STARTING, shared.control, shared.log)
        self.runner = Runner(shared, lambda: self.life.on(states.ALL_ENDED))
        self.hold = Hold(shared, self._overdue)
        self.outage = Outage(shared, self.hold, self._start, self.life.on)
        self.presence = Presence(shared, self._silent)
        self.app_folders = AppFolders(shared, self._exceeded)
        self.changes = Changes(shared, self.app_folders.all, [self.runner.tend_if_due, self.app_folders.look])
        self.long_lived, self._why = LongLived(shared), ""
        self.drain = Drain(shared, lambda: self.life.on(states.WARM_OVER), self._drained)
        self.shutdown = Shutdown(shared, self.hold, self.drain)
        self.parking = Parking(shared, self.hold, self.start, self.life.on)
        self._name_actions()

    def _name_actions(self) -> None:
        runner, outage, presence = self.runner, self.outage, self.presence
        self.life.actions = {
            "launch": [self.parking.cancel, self._start],
            "limit": [lambda: self.deadlines.at(self.record.hold_max, self._unproved)],
            "probe": [outage.ask],
            "tend": [runner.tend],  # the app may answer before nginx's user is admitted
            "serve": [outage.end, runner.serve, presence.begin],
            "admit": [self.hold.end],
            "lead away": [outage.begin],
            "refuse": [outage.refuse],
            "restart": [runner.cancel_kill, lambda: outage.restart(runner.lived, at_once=False)],
            "restart soon": [runner.cancel_kill, lambda: outage.restart(runner.lived, at_once=runner.ended_well)],
            "end app": [presence.pause, self.listener.borrow, runner.end],
            "kill later": [runner.kill_later],
            "signal rest": [lambda: self.app.signal_all(self.record.stop_signal)],
            "keep warm": [self.hold.resume, self.drain.keep_warm],
            "stay": [self.drain.cancel, self._expect_lease],
            "drain": [self.drain.cancel, outage.pause, presence.pause, self._begin_drain],
            "skip drain": [lambda: self.life.on(states.DRAINED)],  # nothing serves: what is queued is relayed
            "stop app": [self.deadlines.clear, outage.pause, runner.stop],
            "stop soon": [self.parking.pass_on, lambda: self.deadlines.at(_LATECOMERS, self.stop)],
            "park, fall back": [self._fall_back],
            "hand back": [self.parking.hand_back],
            "end predecessors": [self.parking.end_predecessors],
            "run deferred": [self._parked],
            "leave": [self.shutdown.begin],
        }

    def begin(self) -> None:
        """Open the listener, and start the app unless it is to be held first."""
        self._expect_lease()
        try:
            self.listener.open(self.on_listener_shutdown)
        except OSError as error:
            words = f"cannot listen in {self.record.folder}: {error.strerror or error}"
            self._app_ended(NeverRan("listen", error.errno, words))
            return
        self.record.write_pids(None, self.listener.port)
        if self.record.start_held:
            self.hold.begin(self.record.hold_max)
        else:
            self._start(low_priority=True)

    # Operations on the control socket

    def start(self, unattended: bool = False) -> bool:
        """
        Start the app that is held or parked; return False if there is none.

        If it is `unattended`, or no command line is attached, the keeper itself finds out whether it is healthy.
        """
        if self.life.state in (states.HELD, states.PARKED, *states.PARKING):
            self.hold.begin(self.record.hold_max)
        self.life.on(states.START_UNATTENDED if unattended or not self.control.leased else states.START)
        return self.life.state in (states.STARTING, *states.ACTIVE) or self.life.starts_again

    def healthy(self) -> bool:
        """Mark the instance healthy: later crashes are restarted. Return False if no app is running."""
        self.life.on(states.HEALTHY)
        return self.life.state in states.ACTIVE

    def pause(self, seconds: float) -> bool:
        """Hold requests from now on, for at most this long; return False if there is no socket to hold them in."""
        if self.life.state not in states.ACTIVE or self.listener.listen_socket is None:
            return False
        self.hold.pause(seconds)
        return True

    def retire(self, warm: float, drain: float, workers: list[Process]) -> None:
        """Stay warm, drain, stop. Asked again while warm, the new times hold."""
        self.drain.plan(warm, drain, workers)
        self.life.on(states.RETIRE)

    def unretire(self) -> bool:
        """Serve again; return False if it is too late for that, or the app does not answer."""
        self.life.on(states.UNRETIRE)
        return self.life.state == states.SERVING

    def park(self, drain: float, fallback: bool) -> bool:
        """
        Drain and stop the app, but keep its place; return False if the instance is going for good. Raises OSError.

        Requests wait meanwhile, so long-lived connections are cut after a short time.
        """
        self.parking.fallback |= fallback
        if self.life.state in (*states.PARKING, states.PARKED):
            return True
        if not states.decides(self.life.state, states.PARK):
            return False
        self.parking.hold_requests()
        self.drain.plan(0.0, drain, [], self.long_lived.count)
        self.life.on(states.PARK)
        return True

    def stop(self) -> None:
        """End the app now, then the instance."""
        self.life.on(states.STOP)

    # Events

    def deserted(self) -> None:
        """The last command line has detached or died. Stay only if nginx is led here, or as a fallback."""
        if self.record.current_leads_here():
            self.life.on(states.DESERTED_CURRENT)
        elif self.parking.fallback or self.record.published():
            self.life.on(states.DESERTED_REACHABLE)
        elif self.life.on(states.DESERTED):
            self.log("nobody is attached and nothing leads here: stopping")

    def children_changed(self) -> None:
        """Collect the processes that have ended."""
        if ended := self.app.reap():
            self._app_ended(ended)
        if not self.app.has_children:
            self.runner.cancel_kill()
            self.life.on(states.ALL_ENDED)

    def on_listener_shutdown(self, by_app: bool) -> None:
        """The app's socket gets no connections any more; a new one is ready for the next app."""
        if not by_app:
            self._silent("the socket's names were removed")
        elif self.life.on(states.LISTENER_SHUTDOWN):
            self.log("the app has shut its socket down; it is restarted once it has ended")

    def _silent(self, reason: str) -> None:
        if self.life.on(states.SILENT):
            self._why = reason
            self.log(f"{reason}: it is stopped and started again")

    def _exceeded(self, excess: str) -> None:
        """End an app that fills the disk of its socket, before it takes others down."""
        self._why = excess
        self.log(f"{excess}: it is killed")
        self.app.signal_all(signal.SIGKILL)
        self.app_folders.empty()

    def _app_ended(self, ended: Ended) -> None:
        if self._why:
            ended.words, self._why = f"{ended.words}, because {self._why}", ""
        self.app_folders.pause()
        self.runner.ended = ended
        self.listener.repair()
        self.log(f"the app ended: {ended.words}")
        self.control.push(ended.event())
        self.deadlines.cancel(self.runner.tend)
        self.outage.pause()
        self.presence.pause()
        replaceable = self.life.state == states.UNATTENDED and self.parking.can_hand_back
        self.life.on(states.ENDED_REPLACEABLE if replaceable else states.ENDED)

    def _expect_lease(self) -> None:
        self.deadlines.at(_ATTACH_WITHIN, self._check_lease)

    def _check_lease(self) -> None:
        if not self.control.leased:
            self.deserted()

    def _overdue(self) -> None:
        if self.record.current_leads_here():
            self.life.on(states.OVERDUE)

    def _unproved(self) -> None:
        self._overdue()  # with a deadline of its own

    def _drained(self) -> None:
        drain = self.drain
        handed = f", that are handed on: {drain.handed}" if drain.handed else ""
        self.log(f"drained: connections that have ended: {drain.drained}, that are cut: {drain.cut}{handed}")
        self.life.on(states.DRAINED)

    def _start(self, low_priority: bool = False) -> None:
        self.app_folders.begin()
        self.changes.begin()
        if ended := self.runner.start(low_priority):
            self._app_ended(ended)
            return
        if self.life.state in states.OUTAGE:
            self.outage.ask()
        if self.record.stop_first:
            self.long_lived.begin()

    def _begin_drain(self) -> None:
        if self.app.pid:
            self.drain.begin()
        else:
            self.life.on(states.DRAINED)

    def _fall_back(self) -> None:
        """Park this version, which does not serve, then let the version before serve again."""
        self.log("the version before is asked to serve again")
        self.park(0.0, fallback=False)
        self.life.on(states.FALL_BACK)

    def _parked(self) -> None:
        self.outage.refusing = False
        event = self.life.take_deferred()
        if event == states.FALL_BACK:
            self.life.on(event)
        elif event is not None:
            self.start(unattended=event == states.START_UNATTENDED)
