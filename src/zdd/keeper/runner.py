"""The app's process: started on the listener, stopped, and killed when it does not end in time."""

from __future__ import annotations

from zdd.host import reopen
from zdd.host.light import signal
from zdd.keeper import kills, log
from zdd.keeper.app import NeverRan
from zdd.keeper.low_priority import LowPriority
from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.app import Ended
    from zdd.keeper.part import Shared

_TEND_AGAIN = 1.0  # seconds
_AGAIN, _PATIENCE = 0.05, 5.0  # of killing: what cannot be killed (state D) is left, since nothing else can be done


class Runner(Part):
    """Starts and stops the app; `all_ended` is called when none of its processes is left, or none can be killed."""

    def __init__(self, shared: Shared, all_ended: Callable[[], object]) -> None:
        super().__init__(shared)
        self.all_ended = all_ended
        self.low_priority = LowPriority(shared)
        self.ended: Ended | None = None  # how the app ended the last time
        self.has_served = False  # so that a kill may have cost somebody something
        self._started = self._stop_sent = self._kill_until = 0.0

    @property
    def lived(self) -> float:
        """Return the seconds since the last start."""
        return self.deadlines.now() - self._started

    @property
    def ended_well(self) -> bool:
        """Return whether the app has ended by itself, without an error."""
        return self.ended is not None and self.ended.status == 0

    def start(self, low_priority: bool) -> Ended | None:
        """Start the app; return how it ended if it cannot be started."""
        self._started = self.deadlines.now()
        try:
            self.relay.take(self.listener.queues())
            self.listener.prepare()
            self.app.start(self.listener, low_priority, lambda pid: self.record.write_pids(pid, self.listener.port))
        except OSError as error:
            return NeverRan("start", error.errno, f"cannot start: {error.strerror or error}")
        self.tend()
        self._tend_log()
        if low_priority:
            self.low_priority.begin()
        return None

    def tend(self) -> None:
        """Look after the listener while the app runs."""
        self.deadlines.at(_TEND_AGAIN, self.tend)  # in case that it fails
        self.deadlines.about(self.listener.tend(), self.tend)

    def tend_if_due(self) -> None:
        """Look after the listener now instead of later, if an app runs."""
        if self.deadlines.is_set(self.tend):
            self.tend()

    def serve(self) -> None:
        """The app serves: it has waited long enough, and a kill may now cost somebody something."""
        self.has_served = True
        self.low_priority.end()

    def end(self) -> None:
        """Send the app its stop signal."""
        self.app.signal(self.record.stop_signal)

    def stop(self) -> None:
        """End the app and all its processes, then call `all_ended`."""
        if self.app.has_children:
            self.end()
            self.kill_later()
        else:
            self.deadlines.at(0, self.all_ended)  # once the request to stop has been answered

    def kill_later(self) -> None:
        """Kill all processes of the app if they have not ended within stop_timeout."""
        self._stop_sent = self.deadlines.now()
        self.deadlines.at(self.record.stop_timeout, self._kill)

    def renew(self) -> None:
        """Apply a new stop_timeout to a stop that has begun."""
        if self.deadlines.is_set(self._kill):
            self.deadlines.at(max(0.0, self._stop_sent + self.record.stop_timeout - self.deadlines.now()), self._kill)

    def cancel_kill(self) -> None:
        """Let what runs now live."""
        self.deadlines.cancel(self._kill, self._kill_rest)

    def _tend_log(self) -> None:
        self.deadlines.at(_TEND_AGAIN, self._tend_log)  # in case that it fails
        if line := self.app.log.tend():
            self.log(line)
        if self.record.nginx_log:
            log.rotate_nginx(self.record.nginx_log, self.record.log_max)
        if self.record.access_log:
            reopen.rotate(self.record.access_log, self.record.log_max)
        self.deadlines.about(self.app.log.pause, self._tend_log)

    def _kill(self) -> None:
        is_whole, seconds = self.app.pid is not None, self.record.stop_timeout
        limit = kills.stop_timeout(seconds)
        self.log(kills.words(is_whole, limit))
        if self.has_served:
            record = self.record
            kills.note(record.kills, record.instance, record.service, is_whole=is_whole, limit=limit, after=seconds)
        self._kill_until = self.deadlines.now() + _PATIENCE
        self._kill_rest()

    def _kill_rest(self) -> None:
        self.app.signal_all(signal.SIGKILL)
        if self.deadlines.now() < self._kill_until:
            self.deadlines.at(_AGAIN, self._kill_rest)
        else:
            self.all_ended()
