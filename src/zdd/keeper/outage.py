"""From the end of an app until it answers again: where connections go, and when the app is started."""

from __future__ import annotations

from zdd.host.light import signal
from zdd.keeper import kills, states
from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_FIRST_DELAY, _LONGEST_DELAY, _LONG_LIFE = 0.1, 10.0, 60.0  # before a restart; the first again after a long life
_AT_MOST_EVERY = 1.0  # seconds between starts of an app that ends by itself, as some do after many requests
_SERVER_ERROR = 500
_AGAIN, _PATIENCE = 0.05, 5.0  # of health requests, and of killing remaining processes
_SHARE = 0.5  # of hold_max, in which those may finish their requests


class Outage(Part):
    """
    A sole instance holds its connections for hold_max, then refuses them; with siblings nginx connects to those.

    `start` starts the app, `on` receives events.
    """

    def __init__(self, shared: Shared, hold: Hold, start: Callable[[], None], on: Callable[[str], object]) -> None:
        super().__init__(shared)
        self.hold, self.start, self.on = hold, start, on
        self.refusing = False  # connections, after hold_max, until the app answers
        self.restarts = 0
        self._delay = _FIRST_DELAY
        self._restart_at: float | None = None
        self._answer_by: float | None = None  # for the app that runs now
        self._told = 0.0  # when what an ended app has left was told to stop
        self._kill_until: float | None = None  # once that is being killed
        self._stranger: str | None = None

    @property
    def restart_in(self) -> float | None:
        """Return the seconds until the app is started again; None while it runs."""
        return None if self._restart_at is None else max(0.0, self._restart_at - self.deadlines.now())

    def begin(self) -> None:
        """Hold new connections, or lead them to the siblings: the app does not answer any more."""
        self.listener.cover()
        if self.record.sole_instance:
            self.deadlines.at(self.record.hold_max, self._give_up)
            if self.listener.ends_with_app:
                self.hold.begin(self.record.hold_max)

    def restart(self, lived: float, at_once: bool) -> None:
        """
        Start the app, which has ended after this many seconds, after a delay that grows from crash to crash.

        Or `at_once`, though not more than once a second.
        """
        self.listener.cover()
        self.relay.take(self.listener.queues())
        self._pass_on()
        self.app.signal_all(self.record.stop_signal)  # pre-fork workers would go on accepting
        self._told, self._kill_until = self.deadlines.now(), None
        self._answer_by = None
        delay = max(0.0, _AT_MOST_EVERY - lived) if at_once else self._next_delay(lived)
        first = ", once the processes that it has left have ended" if self.app.has_children else ""
        self.log((f"it is started again in {delay:.1f} s" if delay else "it is started again at once") + first)
        self._restart_at = self.deadlines.now() + delay
        self.deadlines.at(delay, self._restart)

    def ask(self) -> None:
        """Send health requests to the started app until it answers."""
        if self.listener.address is None:
            self.on(states.ANSWERED)
        else:
            self._answer_by = self._answer_by or self.deadlines.now() + self.record.start_timeout
            if self.deadlines.now() >= self._answer_by:
                self._start_over()
                return
            self.deadlines.cancel(self.probe.cancel)
            self.deadlines.at(_PATIENCE, self.ask)
            self.probe.ask(self.listener.address, self._on_answer)

    def end(self) -> None:
        """The app answers: relay the waiting connections to it, and lead new ones there again."""
        if self.refusing:
            self.log("the app answers again: connections are accepted")
        self.refusing = False
        self._answer_by = None
        self.deadlines.cancel(self.ask, self._give_up, self._pass_on)
        self.deadlines.at(_PATIENCE, self.probe.cancel)  # by then its answer has been read
        self.listener.restore()
        if self.listener.ends_with_app:
            self.hold.end()
        self._release()

    def refuse(self) -> None:
        """Refuse connections from now on: nginx would give up waiting sooner or later."""
        self.refusing = True
        seconds = f"{self.record.hold_max:g} s"
        self.log(f"DOWN: the app has not answered for {seconds}; connections are refused until it does")
        self.listener.withdraw()
        if self.listener.ends_with_app:
            self.relay.take(self.hold.queues)
        self.relay.release(None)
        self._pass_on()

    def pause(self) -> None:
        """Stop the health requests: the app has ended, or its connections are being counted."""
        self.deadlines.cancel(self.ask, self._release)
        self.probe.cancel()

    def _next_delay(self, lived: float) -> float:
        if lived >= _LONG_LIFE:
            self._delay = _FIRST_DELAY
        delay, self._delay = self._delay, min(2 * self._delay, _LONGEST_DELAY)
        return delay

    def _pass_on(self) -> None:
        """While no app runs, relay arriving connections to a sibling; close them if they are refused."""
        if (self.record.sole_instance and not self.refusing) or self.app.pid is not None:
            return
        self.relay.take(self.listener.queues())
        sibling = None if self.record.sole_instance else self.record.sibling()
        if sibling is not None or self.refusing:
            self.relay.release(sibling)
        self.deadlines.at(_AGAIN, self._pass_on)

    def _restart(self) -> None:
        """Start the app once what the last one has left has ended, or cannot be killed."""
        if self.app.has_children and (self._kill_until is None or self.deadlines.now() < self._kill_until):
            self.listener.cover()
            self._end_rest()
            self.deadlines.at(_AGAIN, self._restart)
        else:
            self.restarts += 1
            self._restart_at = None
            self.start()

    def _end_rest(self) -> None:
        """Kill what the app has left, such as the workers of a killed master, once it has had time to finish."""
        now = self.deadlines.now()
        seconds, limit = self._time_to_finish()
        if self._kill_until is None and now < self._told + seconds:
            return
        if self._kill_until is None:
            self._kill_until = now + _PATIENCE
            self.log(kills.words(False, limit))
            after = round(now - self._told, 1)
            record = self.record
            kills.note(record.kills, record.instance, record.service, is_whole=False, limit=limit, after=after)
        self.app.signal_all(signal.SIGKILL)

    def _time_to_finish(self) -> tuple[float, str]:
        """Return how long the rest of an ended app may finish its requests, and what limits that."""
        longest, half = self.record.stop_timeout, self.record.hold_max * _SHARE
        if not self.listener.may_wait:
            return 0.0, "a moment, and would lose what connects to it"
        if self.record.sole_instance and self.listener.address is not None and half < longest:
            return half, f"half of hold_max ({half:g} s)"
        return longest, kills.stop_timeout(longest)

    def _on_answer(self, status: int | None) -> None:
        # For a sole instance, an app that answers with errors is better than none.
        if status is not None and (self.record.sole_instance or 0 < status < _SERVER_ERROR) and self._is_the_app():
            self.on(states.ANSWERED)
        else:
            self.deadlines.at(_AGAIN, self.ask)

    def _is_the_app(self) -> bool:
        """Return whether the app has answered, and not another user's program on its port."""
        stranger = self.listener.stranger()
        if stranger and stranger != self._stranger:
            self.log(stranger)
        self._stranger = stranger
        return stranger is None

    def _start_over(self) -> None:
        """Kill an app that has not answered within start_timeout, since it may never; the next one might."""
        self.log(f"the app has not answered for start_timeout, {self.record.start_timeout:g} s: it is killed")
        self.pause()
        self.app.signal_all(signal.SIGKILL)

    def _release(self) -> None:
        address = self.listener.address
        if address is not None and not self.relay.release(address):
            self.deadlines.at(_AGAIN, self._release)

    def _give_up(self) -> None:
        self.on(states.GAVE_UP)
