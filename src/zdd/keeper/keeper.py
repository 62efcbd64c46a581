"""
One instance's life: starting, serving, then warm, draining, stopping; or failed; or resting between two of its starts.

Driven from outside by operations, ended children and deadlines; everything it works on is passed in, the clock too.
"""

from __future__ import annotations

import signal

from zdd.keeper.app import CANNOT_START, Ended
from zdd.keeper.drain import Drain
from zdd.keeper.hold import Hold
from zdd.keeper.leaving import Leaving
from zdd.keeper.long_lived import LongLived
from zdd.keeper.outage import Outage
from zdd.keeper.presence import Presence
from zdd.keeper.states import DOWN, DRAINING, FAILED, RESTING, SERVING, STARTING, STOPPING, WARM
from zdd.keeper.swap import Swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.host.process import Process
    from zdd.keeper.app import App
    from zdd.keeper.control import Control
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Loop
    from zdd.keeper.probe import Probe
    from zdd.keeper.record import Record
    from zdd.keeper.relay import Relay

_ATTACH_WITHIN = 10.0
_TEND_AGAIN = 1.0
_LATECOMERS = 1.0  # nginx may have looked the path up just before it led elsewhere
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
        loop: Loop,
        control: Control,
        tell: Callable[[str], None],
    ) -> None:
        self.record, self.app, self.listener, self.relay = record, app, listener, relay
        self.deadlines, self.control, self.tell = loop.deadlines, control, tell
        deadlines = loop.deadlines
        self.hold = Hold(listener, relay, loop, self._overdue)
        self.outage = Outage(
            record, app, listener, relay, probe, self.hold, deadlines, self._start, self._outage_changed, tell
        )
        self.presence = Presence(record, app, listener, probe, deadlines, self._absent)
        self.long_lived = LongLived(listener, deadlines)
        self.drain = Drain(listener.connections, deadlines, self._drained)
        self.leaving = Leaving(record, listener, self.hold, relay, deadlines, control)
        self.swap = Swap(self)
        self.state = self._shown = STARTING
        self.ended: Ended | None = None
        self.paused_until: float | None = None
        self._started: float | None = None
        self._drain_for = self._kill_until = 0.0
        self._workers: list[Process] = []
        self._endless: Callable[[], int] | None = None

    @property
    def shown(self) -> str:
        """Return the state that others see: an app that is being restarted is starting, or down after hold_max."""
        if self.outage.on and self.state == SERVING:
            return DOWN if self.outage.gave_up else STARTING
        return self.state

    def begin(self) -> None:
        """Take the place, and start the app unless it is to be held first."""
        self.deadlines.at(_ATTACH_WITHIN, self._check_leases)
        try:
            self.listener.open(self.deaf)
        except OSError as error:
            self._app_ended(Ended(CANNOT_START, f"cannot listen in {self.record.folder}: {error.strerror or error}"))
            return
        self.record.write_pids(None, self.listener.port)
        if self.record.held:
            self.hold.begin(self.record.hold_max)
        else:
            self._start()

    @property
    def started(self) -> bool:
        """Tell whether the app has been started, since the instance last rested."""
        return self._started is not None

    def start(self) -> None:
        """Start the app of an instance that had none; it has everything to prove."""
        self._set(STARTING)
        self._start()

    def serve_unproved(self) -> None:
        """Have the app serve as one that is restarted after a crash: once it answers, who waits is let in."""
        self._set(SERVING)
        self.outage.begin(held=True)
        if not self.started:
            self._start()
        elif self.app.pid:
            self.outage.ask()

    def healthy(self) -> bool:
        """Mark the instance healthy: later crashes are restarted. Return False when no app is running."""
        if self.state == STARTING and self.app.pid:
            self._tend()  # it may have answered us before nginx's user was let in
            self._set(SERVING)
            self.outage.end()
            self.swap.proved()
            self.presence.begin()
        return self.state == SERVING

    def pause(self, seconds: float) -> bool:
        """Have requests wait from now on, at most this long; False where there is no socket for them to wait in."""
        if self.state != SERVING or self.listener.held is None:
            return False
        self.hold.begin(seconds)
        self.paused_until = self.deadlines.now() + seconds
        self.deadlines.at(seconds, self.resume)
        return True

    def resume(self) -> bool:
        """Let them in; False when nobody had to wait."""
        paused, self.paused_until = self.paused_until is not None, None
        if paused:
            self.deadlines.cancel(self.resume)
            self.hold.end()
        return paused

    def retire(self, warm: float, drain: float, workers: list[Process]) -> None:
        """Go: stay warm, drain, stop. Asked again while warm, the new times hold."""
        if self.state in (STARTING, SERVING, WARM):
            self.resume()
            self._drain_for, self._workers, self._endless = drain, workers, None
            self._set(WARM)
            self.deadlines.at(warm, self._begin_drain)
            if warm <= 0:
                self._begin_drain()
        elif self.swap.resting:
            self.hold.send_to(self.record.sibling())
            self.deadlines.at(_LATECOMERS, self.stop)
        elif self.state == FAILED:
            self.stop()

    def unretire(self) -> bool:
        """Stay after all; False when it is too late for that, or nothing answers here."""
        if self.state == WARM and not self.outage.on:
            self.deadlines.cancel(self._begin_drain)
            self.deadlines.at(_ATTACH_WITHIN, self._check_leases)
            self._set(SERVING)
        return self.shown == SERVING

    def begin_drain(self, drain: float) -> None:
        """
        Drain and stop the app, for at most this long, while new connections wait for the end of it.

        Those that have been open for long do not hold it up: they are cut after a short time.
        """
        self._drain_for, self._workers, self._endless = drain, [], self.long_lived.count
        self._begin_drain()

    def stop(self) -> None:
        """End the app now, then everything."""
        self.swap.resting = False
        self._stop()

    def _stop(self) -> None:
        """End the app now."""
        if self.state == STOPPING:
            return
        self.deadlines.clear()
        self.outage.pause()
        self._set(STOPPING)
        if self.app.left:
            self.app.signal(self.record.stop_signal)
            self.deadlines.at(self.record.stop_timeout, self._kill)
        else:
            self.deadlines.at(0, self._gone)  # once who asked for it has been answered

    def deserted(self) -> None:
        """Nobody holds a lease: who started this has died or is done. Stay only if `current` leads here."""
        if self.state in (WARM, DRAINING, STOPPING) and not self.swap.resting:
            return
        if self.record.published() or self.swap.way_back:
            self.swap.deserted()
        else:
            self.tell("nobody is attached and nothing leads here: stopping")
            self.stop()

    def children_changed(self) -> None:
        """Look who has ended."""
        if ended := self.app.reap():
            self._app_ended(ended)
        if not self.app.left:
            self.deadlines.cancel(self._kill, self._kill_rest)
            if self.state == STOPPING:
                self._gone()

    def deaf(self, by_app: bool) -> None:
        """No connection comes by the app's socket any more; a fresh one waits for the next app."""
        if not by_app:
            self._absent("the socket's names were removed")
        elif self.state in (SERVING, WARM):
            self.tell("the app has shut its socket down; it is restarted once it has ended")
            self.outage.begin()
            self.deadlines.at(self.record.stop_timeout, self._kill)

    def _absent(self, reason: str) -> None:
        """The app lives and serves nobody: end it, and start another."""
        if self.state in (SERVING, WARM) and not self.outage.on:
            self.tell(f"{reason}: it is stopped and started again")
            self.presence.pause()
            self.outage.begin()
            self.app.signal(self.record.stop_signal)
            self.deadlines.at(self.record.stop_timeout, self._kill)

    def _start(self) -> None:
        polite = self._started is None and not self.hold.on  # else somebody may wait for it
        self._started = self.deadlines.now()
        try:
            self.relay.take(self.listener.queues())
            self.listener.prepare()
            self.app.start(self.listener, polite)
        except OSError as error:
            self._app_ended(Ended(CANNOT_START, f"cannot start: {error.strerror or error}"))
            return
        self.record.write_pids(self.app.pid, self.listener.port)
        self._tend()
        if polite:
            self.deadlines.at(self.record.polite_for, self._full_speed)
        if self.outage.on:
            self.outage.ask()
        if self.record.stop_first:
            self.long_lived.begin()

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
            self.presence.begin()
            if self.swap.alone:
                self.swap.proved()

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
        self.presence.pause()
        if self.state in (SERVING, WARM):
            self.deadlines.cancel(self._kill)  # it was deaf, but has ended by itself
            if self.swap.may_fall_back:
                self.swap.fall_back()
            else:
                self.outage.crashed(self.deadlines.now() - (self._started or 0.0), clean=ended.status == 0)
        elif self.state == DRAINING:
            self._stop()  # who waits in its queue is relayed to who serves now
        else:
            self.app.signal_all(self.record.stop_signal)
            if self.state == STARTING:
                self._set(FAILED)
                self.deadlines.at(self.record.stop_timeout, self._kill)

    def _begin_drain(self) -> None:
        self.deadlines.cancel(self._begin_drain)
        self.outage.pause()
        self.presence.pause()
        self._set(DRAINING)
        if self.app.pid and not self.outage.on:
            self.drain.begin(self._drain_for, self._workers, self._endless)
        else:
            self._stop()

    def _drained(self) -> None:
        self.tell(f"drained: connections that have ended: {self.drain.drained}, that are cut: {self.drain.cut}")
        self._stop()

    def _kill(self) -> None:
        self.tell("killing what is left of the app")
        self._kill_until = self.deadlines.now() + _PATIENCE
        self._kill_rest()

    def _kill_rest(self) -> None:
        self.app.signal_all(signal.SIGKILL)
        if self.deadlines.now() < self._kill_until:
            self.deadlines.at(_AGAIN, self._kill_rest)
        elif self.state == STOPPING:
            self._gone()

    def _gone(self) -> None:
        """Nothing is left of the app."""
        if self.state != STOPPING:
            return
        if self.swap.resting:
            self._started, self.outage.on, self.outage.gave_up = None, False, False
            self._set(RESTING)
            self.swap.rested()
        else:
            self.leaving.begin(self.drain)

    def _overdue(self) -> None:
        self.swap.overdue()

    def _set(self, state: str) -> None:
        self.state = state
        self._show()

    def _show(self) -> None:
        if self.shown != self._shown:
            self._shown = self.shown
            self.control.push({"event": "state", "state": self.shown})
