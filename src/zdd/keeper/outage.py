"""From the end of an app until it answers again: where connections go, and when the app is started."""

from __future__ import annotations

from zdd.host.light import signal
from zdd.keeper import handed, kills, states
from zdd.keeper.part import Part
from zdd.keeper.siblings import Siblings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_FIRST_DELAY, _LONGEST_DELAY, _LONG_LIFE = 0.1, 10.0, 60.0  # before a restart; the first again after a long life
_AT_MOST_EVERY = 1.0  # seconds between starts of an app that ends by itself, as some do after many requests
_SERVER_ERROR = 500
_AGAIN, _PATIENCE = 0.05, 5.0  # of health requests, and of killing remaining processes
_SELDOM = 0.9  # between looks at siblings while connections are led to one: the path leads on to where it leads
_SHARE = 0.5  # of hold_max, in which those may finish their requests


class Outage(Part):
    """
    Connections are led to a sibling that serves; while there is none they are held for hold_max, then refused.

    `start` starts the app, `on` receives events.
    """

    def __init__(self, shared: Shared, hold: Hold, start: Callable[[], None], on: Callable[[str], object]) -> None:
        super().__init__(shared)
        self.hold, self.start, self.on = hold, start, on
        self.siblings = Siblings(self.record)
        self._is_alone = self.record.sole_instance or self.record.kind == "none"
        self.refusing = False  # connections, after hold_max, until the app or a sibling answers
        self._led_to: str | int | None = None  # the sibling that gets new connections
        self.restarts = 0
        self._delay = _FIRST_DELAY
        self._restart_at: float | None = None
        self._answer_by: float | None = None  # for the app that runs now
        self._stop_sent = 0.0  # when the descendants of the ended app were asked to stop
        self._kill_until: float | None = None  # once that is being killed
        self._stranger: str | None = None

    @property
    def restart_in(self) -> float | None:
        """Return the seconds until the app is started again; None while it runs."""
        return None if self._restart_at is None else max(0.0, self._restart_at - self.deadlines.now())

    def begin(self) -> None:
        """
        Hold new connections, or lead them to a sibling that serves: the app does not answer any more.

        The hold begins first. So of two instances that fail at the same time one at least sees that the other does not
        serve, and they never lead to each other.
        """
        self.listener.cover()
        if self._is_alone:
            self.deadlines.at(self.record.hold_max, self._give_up)
            if self.listener.ends_with_app:
                self.hold.begin(self.record.hold_max)
        else:
            self._wait()
            self._pass_on()

    def restart(self, lived: float, at_once: bool) -> None:
        """
        Start the ended app after a delay that grows from crash to crash; it had run for this many seconds.

        With `at_once` start it without the delay, but at most once a second.
        """
        self.listener.cover()
        self.relay.take(self.listener.queues())
        self._pass_on()
        self.app.signal_all(self.record.stop_signal)  # pre-fork workers would go on accepting
        self._stop_sent, self._kill_until = self.deadlines.now(), None
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
        if self.hold.paused_until is None:
            self.hold.end()
        self._note_led_to(None)
        self._release()

    def refuse(self) -> None:
        """Refuse connections from now on: nginx would give up waiting sooner or later."""
        self.refusing = True
        seconds = f"{self.record.hold_max:g} s"
        if self._is_alone:
            self.log(f"DOWN: the app has not answered for {seconds}; connections are refused until it does")
        else:
            self.log(f"DOWN: no instance has answered for {seconds}; connections are refused until one does")
        self.listener.withdraw()
        if self.listener.ends_with_app or not self._is_alone:
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
        """Relay connections that wait to a sibling that serves; close them if they are refused and no app runs."""
        if self._is_alone and (not self.refusing or self.app.pid is not None):
            return
        sibling = None if self._is_alone else self._follow()
        took_all = True
        if sibling is not None or (self.refusing and self.app.pid is None):
            took_all = self.relay.take([*self.hold.queues, *([] if self.app.pid else self.listener.queues())])
            self.relay.release(sibling)
        is_led = self._led_to is not None and self.listener.can_lead
        self.deadlines.at(_SELDOM if is_led and took_all and not self.relay.waiting else _AGAIN, self._pass_on)

    def _follow(self) -> str | int | None:
        """Lead new connections to a sibling that serves, or hold them; return where those that wait can go."""
        sibling = self.siblings.serving()
        if sibling is not None and sibling != self._led_to:
            self._lead(sibling)
        elif sibling is None and (self._led_to is not None or not self.hold.on):
            self._wait()
        if sibling is None and not self.siblings.has_this_one():
            sibling = self.siblings.taking()
        if sibling is not None:
            self.deadlines.cancel(self._give_up)
        elif not self.refusing and not self.deadlines.is_set(self._give_up):
            self.deadlines.at(self.record.hold_max, self._give_up)
        return sibling

    def _wait(self) -> None:
        """Let new connections wait, also those that come while the app starts."""
        self.hold.begin(self.record.hold_max)
        self._note_led_to(None)

    def _lead(self, sibling: str | int) -> None:
        if self.refusing:
            self.refusing = False
            self.log("another instance answers again: connections are led to it")
            self.on(states.RELIEVED)
        self._note_led_to(sibling)
        if isinstance(sibling, str):
            self.listener.lead(sibling)

    def _note_led_to(self, sibling: str | int | None) -> None:
        """Note where new connections go: before they are led there, and once they no longer are."""
        before, self._led_to = self._led_to, sibling
        if self.listener.can_lead and (before is None) != (sibling is None):
            handed.note_led(self.record, sibling is not None)

    def _restart(self) -> None:
        """Start the app once the descendants of the last one have ended, or cannot be killed."""
        if self.app.has_children and (self._kill_until is None or self.deadlines.now() < self._kill_until):
            self.listener.cover()
            self._end_rest()
            self.deadlines.at(_AGAIN, self._restart)
        else:
            self.restarts += 1
            self._restart_at = None
            self.start()

    def _end_rest(self) -> None:
        """Kill the app's descendants, such as the workers of a killed master, once they have had time to finish."""
        now = self.deadlines.now()
        seconds, limit = self._time_to_finish()
        if self._kill_until is None and now < self._stop_sent + seconds:
            return
        if self._kill_until is None:
            self._kill_until = now + _PATIENCE
            self.log(kills.words(False, limit))
            after = round(now - self._stop_sent, 1)
            record = self.record
            kills.note(record.kills, record.instance, record.service, is_whole=False, limit=limit, after=after)
        self.app.signal_all(signal.SIGKILL)

    def _time_to_finish(self) -> tuple[float, str]:
        """Return how long the rest of an ended app may finish its requests, and what limits that."""
        longest, half = self.record.stop_timeout, self.record.hold_max * _SHARE
        if not self.listener.may_wait:
            return 0.0, "a moment, and would lose what connects to it"
        if self._led_to is None and self.listener.address is not None and half < longest:
            return half, f"half of hold_max ({half:g} s)"
        return longest, kills.stop_timeout(longest)

    def _on_answer(self, status: int | None) -> None:
        # An app that answers with errors is better than none.
        is_all_there_is = self.record.sole_instance or self.refusing
        if status is not None and (is_all_there_is or 0 < status < _SERVER_ERROR) and self._is_the_app():
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
        """Kill an app that has not answered within start_timeout, and start it again."""
        self.log(f"the app has not answered for start_timeout, {self.record.start_timeout:g} s: it is killed")
        self.pause()
        self.app.signal_all(signal.SIGKILL)

    def _release(self) -> None:
        address = self.listener.address
        if address is not None and not self.relay.release(address):
            self.deadlines.at(_AGAIN, self._release)

    def _give_up(self) -> None:
        self.on(states.GAVE_UP)
