"""
One instance's life: starting, serving, then warm, draining, stopping; or failed.

Driven from outside by operations, ended children and deadlines; everything it works on is passed in, the clock too.
"""

from __future__ import annotations

import signal

from zdd.keeper.app import CANNOT_START, Ended
from zdd.keeper.drain import Drain
from zdd.keeper.outage import Outage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.host.process import Process
    from zdd.keeper.app import App
    from zdd.keeper.control import Control
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Deadlines
    from zdd.keeper.probe import Probe
    from zdd.keeper.record import Record
    from zdd.keeper.relay import Relay

STARTING, SERVING, WARM, DRAINING, STOPPING, FAILED = "starting", "serving", "warm", "draining", "stopping", "failed"

_ATTACH_WITHIN = 10.0
_TEND_AGAIN = 1.0
_AGAIN, _PATIENCE = 0.05, 5.0  # of killing: what cannot be killed (state D) is left, since nothing else can be done


class Keeper:
    """Knows what state the instance is in, and what is to be done next."""

    def __init__(
        self,
        record: Record,
        app: App,
        listener: Listener,
        relay: Relay,
        probe: Probe,
        deadlines: Deadlines,
        control: Control,
        tell: Callable[[str], None],
    ) -> None:
        self.record, self.app, self.listener, self.relay = record, app, listener, relay
        self.deadlines, self.control, self.tell = deadlines, control, tell
        self.outage = Outage(record, app, listener, relay, probe, deadlines, self._start, self._outage_changed)
        self.drain = Drain(listener.connections, deadlines, self._drained)
        self.state = self._shown = STARTING
        self.ended: Ended | None = None
        self.over = False
        self._started: float | None = None
        self._drain_for = self._kill_until = 0.0
        self._workers: list[Process] = []
        self._leaving = False

    @property
    def shown(self) -> str:
        """Return the state as others are told: an app that is being restarted is starting."""
        return STARTING if self.outage.on and self.state == SERVING else self.state

    def begin(self) -> None:
        """Take the place, and start the app unless it is to be held first."""
        self.deadlines.at(_ATTACH_WITHIN, self._check_leases)
        try:
            self.listener.open(self.deaf)
        except OSError as error:
            self._app_ended(Ended(CANNOT_START, f"cannot listen at {self.record.socket}: {error.strerror or error}"))
            return
        self.record.write_pids(None, self.listener.port)
        if not self.record.held:
            self._start()

    def start(self) -> bool:
        """Start the app that was held; False when it has been started before."""
        if self._started is None and self.state == STARTING:
            self._start()
            return True
        return False

    def healthy(self) -> bool:
        """Be told that it serves: from now on a crash is restarted. False when there is nothing that could serve."""
        if self.state == STARTING and self.app.pid:
            self._tend()  # it may have answered us before nginx's user was let in
            self._set(SERVING)
            self.outage.end()
        return self.state == SERVING

    def retire(self, warm: float, drain: float, workers: list[Process]) -> None:
        """Go: stay warm, drain, stop. Asked again while warm, the new times hold."""
        if self.state in (STARTING, SERVING, WARM):
            self._drain_for, self._workers = drain, workers
            self._set(WARM)
            self.deadlines.at(warm, self._begin_drain)
            if warm <= 0:
                self._begin_drain()
        elif self.state == FAILED:
            self.stop()

    def unretire(self) -> bool:
        """Stay after all; False when it is too late for that, or nothing answers here."""
        if self.state == WARM and not self.outage.on:
            self.deadlines.cancel(self._begin_drain)
            self.deadlines.at(_ATTACH_WITHIN, self._check_leases)
            self._set(SERVING)
        return self.shown == SERVING

    def stop(self) -> None:
        """End the app now, then everything."""
        if self.state == STOPPING:
            return
        self.deadlines.clear()
        self.outage.pause()
        self._set(STOPPING)
        if self.app.left:
            self.app.signal(self.record.stop_signal)
            self.deadlines.at(self.record.stop_timeout, self._kill)
        else:
            self.deadlines.at(0, self._leave)  # once who asked for it has been answered

    def deserted(self) -> None:
        """Nobody holds a lease: who started this has died or is done. Stay only if `current` leads here."""
        if self.state in (WARM, DRAINING, STOPPING):
            return
        if not self.record.published():
            self.tell("nobody is attached and nothing leads here: stopping")
            self.stop()
        elif self.state == STARTING:  # a stop-first deploy was interrupted, and clients wait here already
            self._set(SERVING)
            self.outage.begin()
            if self._started is None:
                self._start()
            else:
                self.outage.ask()

    def children_changed(self) -> None:
        """Look who has ended."""
        if ended := self.app.reap():
            self._app_ended(ended)
        if not self.app.left:
            self.deadlines.cancel(self._kill, self._kill_rest)
            if self.state == STOPPING:
                self._leave()

    def deaf(self) -> None:
        """The app has shut its socket down: it should be ending; a fresh one waits for the next."""
        if self.state in (SERVING, WARM):
            self.tell("the app has shut its socket down; it is restarted once it has ended")
            self.outage.begin()
            self.deadlines.at(self.record.stop_timeout, self._kill)

    def _start(self) -> None:
        first, self._started = self._started is None, self.deadlines.now()
        held = self.listener.held
        try:
            self.relay.take(self.listener.queues())
            self.listener.prepare()
            self.app.start(held.fileno() if held else None, self.listener.port, first)
        except OSError as error:
            self._app_ended(Ended(CANNOT_START, f"cannot start: {error.strerror or error}"))
            return
        self.record.write_pids(self.app.pid, self.listener.port)
        self._tend()
        if self.outage.on:
            self.outage.ask()

    def _tend(self) -> None:
        self.deadlines.at(_TEND_AGAIN, self._tend)  # in case that it fails
        self.deadlines.at(self.listener.tend(), self._tend)

    def _check_leases(self) -> None:
        if not self.control.leased:
            self.deserted()

    def _outage_changed(self) -> None:
        self._show()
        if not self.outage.on:
            self._full_speed()

    def _full_speed(self) -> None:
        if not self.app.full_speed():
            self.deadlines.at(2 * _AGAIN, self._full_speed)

    def _app_ended(self, ended: Ended) -> None:
        self.ended = ended
        self.listener.restore()
        self.tell(f"the app ended: {ended.words}")
        self.control.push({"event": "exit", "words": ended.words, "status": ended.status})
        self.deadlines.cancel(self._tend)
        self.outage.pause()
        if self.state in (SERVING, WARM):
            self.deadlines.cancel(self._kill)  # it was deaf, but has ended by itself
            self.outage.crashed(self.deadlines.now() - (self._started or 0.0))
        elif self.state == DRAINING:
            self.stop()  # who waits in its queue is relayed to who serves now
        else:
            self.app.signal_all(self.record.stop_signal)
            if self.state == STARTING:
                self._set(FAILED)
                self.deadlines.at(self.record.stop_timeout, self._kill)

    def _begin_drain(self) -> None:
        self.deadlines.cancel(self._begin_drain)
        self.outage.pause()
        self._set(DRAINING)
        if self.app.pid and not self.outage.on:
            self.drain.begin(self._drain_for, self._workers)
        else:
            self.stop()

    def _drained(self) -> None:
        self.tell(f"drained: {self.drain.drained} connections have ended, {self.drain.cut} are cut")
        self.stop()

    def _kill(self) -> None:
        self.tell("killing what is left of the app")
        self._kill_until = self.deadlines.now() + _PATIENCE
        self._kill_rest()

    def _kill_rest(self) -> None:
        self.app.signal_all(signal.SIGKILL)
        if self.deadlines.now() < self._kill_until:
            self.deadlines.at(_AGAIN, self._kill_rest)
        elif self.state == STOPPING:
            self._leave()

    def _leave(self) -> None:
        """Nothing is left of the app: go, and only stay out of sight to serve those who came after the last count."""
        if self._leaving:
            return
        self._leaving = True
        self.deadlines.clear()
        self.deadlines.at(self.record.drain_timeout, self._finish)
        self.listener.go_away()
        self.relay.take(self.listener.queues())
        self.relay.release(self.record.sibling())
        self.listener.close()
        drain = self.drain
        event = {"event": "gone", "drained": drain.drained, "cut": drain.cut, "seconds": round(drain.seconds, 3)}
        self.control.push(event)
        self.record.remove()
        self.control.close()
        self._see_off()

    def _see_off(self) -> None:
        if not self.relay.busy:
            self._finish()
        else:
            self.relay.release(self.record.sibling())
            self.deadlines.at(_AGAIN, self._see_off)

    def _finish(self) -> None:
        self.deadlines.clear()
        self.relay.close()
        self.over = True

    def _set(self, state: str) -> None:
        self.state = state
        self._show()

    def _show(self) -> None:
        if self.shown != self._shown:
            self._shown = self.shown
            self.control.push({"event": "state", "state": self.shown})
