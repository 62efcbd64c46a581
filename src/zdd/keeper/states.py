"""
The life of an instance as one table: (state, event) -> (state, actions). The keeper carries out the actions.

The usual way is starting, serving, warm, draining, stopping, gone. In a stop-first deploy the old instance is parked:
drained and stopped while its place is kept, so that it can be started again when the new version fails.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.control import Control

# States
HELD = "held"  # it listens, and requests wait; no app has been started yet, or the version before must end first
STARTING = "starting"  # the app runs; the command line finds out whether it is healthy
UNATTENDED = "unattended"  # the same, but no command line is attached: the keeper finds out
SERVING = "serving"
RESTARTING = "restarting"  # after a crash: no app runs, or it has not answered yet
DOWN = "down"  # restarting for longer than hold_max: connections are refused
WARM = "warm"  # retired, but able to serve again
WARM_RESTARTING = "warm and restarting"
DRAINING = "draining"
STOPPING = "stopping"
FAILED = "failed"  # the app ended before it was healthy
PARK_DRAINING = "draining before it is parked"
PARK_STOPPING = "stopping before it is parked"
PARKED = "parked"
GONE = "gone"  # the app has ended; the last connections are relayed

# What others read of a state: the words of `status` and of events on the control socket, the same since version 0.1.0
SHOWN = {
    HELD: "starting",
    STARTING: "starting",
    UNATTENDED: "starting",
    SERVING: "serving",
    RESTARTING: "starting",
    DOWN: "down",
    WARM: "warm",
    WARM_RESTARTING: "warm",
    DRAINING: "draining",
    STOPPING: "stopping",
    FAILED: "failed",
    PARK_DRAINING: "draining",
    PARK_STOPPING: "stopping",
    PARKED: "resting",
    GONE: "stopping",
}
PARKING = (PARK_DRAINING, PARK_STOPPING)
OUTAGE = (UNATTENDED, RESTARTING, DOWN, WARM_RESTARTING)  # the keeper sends health requests until one is answered
ACTIVE = (UNATTENDED, SERVING, RESTARTING, DOWN)  # an app is kept running, and the instance is not retired

# Events: requests on the control socket
START = "start"
START_UNATTENDED = "start, nobody attached"
HEALTHY = "healthy"
RETIRE = "retire"
UNRETIRE = "unretire"
PARK = "park"
STOP = "stop"
# Events: the last attached command line has left
DESERTED = "deserted"  # nothing leads to the instance
DESERTED_REACHABLE = "deserted, reachable"  # nginx may still lead there, or a later deploy may fall back to it
DESERTED_CURRENT = "deserted, current"  # `current` leads there
# Events: what happens to the app
ENDED = "app ended"
ENDED_REPLACEABLE = "app ended, its predecessor can serve"
ALL_ENDED = "all processes ended"  # those of the app; or they cannot be killed
SILENT = "silent"  # the app lives, but accepts no connections
LISTENER_SHUTDOWN = "listener shut down"  # by the app, which should end soon
ANSWERED = "answered"  # a health request during an outage
# Events: a time is over, or a count has reached zero
GAVE_UP = "gave up"  # no answer for hold_max
RELIEVED = "relieved"  # after that a sibling serves, and gets the connections
OVERDUE = "overdue"  # requests have waited at the instance for hold_max, and `current` leads there
WARM_OVER = "warm over"
DRAINED = "drained"
FALL_BACK = "fall back"  # the predecessor is to serve again, once this instance is parked
LEFT_ALONE = "left alone"  # no predecessor can serve again

_SAME = ""
_IGNORE: tuple[str, ...] = (_SAME,)
_IMPOSSIBLE: tuple[str, ...] = ()
_OTHERS: tuple[str, ...] = ()

# event: {states: (next state, *actions)}; the keeper has the actions by these names
_ROWS: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {
    START: {(HELD, PARKED): (STARTING, "launch"), PARKING: (_SAME, "defer"), _OTHERS: _IGNORE},
    START_UNATTENDED: {
        (HELD, PARKED): (UNATTENDED, "limit", "launch"),
        (STARTING,): (UNATTENDED, "limit", "probe"),
        PARKING: (_SAME, "defer"),
        _OTHERS: _IGNORE,
    },
    HEALTHY: {(STARTING,): (SERVING, "tend", "serve", "admit"), _OTHERS: _IGNORE},
    RETIRE: {
        (HELD, STARTING, SERVING, WARM): (WARM, "keep warm"),
        OUTAGE: (WARM_RESTARTING, "keep warm"),
        (*PARKING, PARKED): (_SAME, "stop soon"),
        (FAILED,): (STOPPING, "stop app"),
        _OTHERS: _IGNORE,
    },
    UNRETIRE: {(WARM,): (SERVING, "stay"), _OTHERS: _IGNORE},
    PARK: {
        (HELD, STARTING, SERVING, WARM, FAILED): (PARK_DRAINING, "drain"),
        OUTAGE: (PARK_DRAINING, "skip drain"),
        _OTHERS: _IGNORE,
    },
    STOP: {(STOPPING, GONE): _IGNORE, (PARK_STOPPING,): (STOPPING,), _OTHERS: (STOPPING, "stop app")},
    DESERTED: {
        (WARM, WARM_RESTARTING, DRAINING, STOPPING, GONE): _IGNORE,
        (PARK_STOPPING,): (STOPPING,),
        _OTHERS: (STOPPING, "stop app"),
    },
    DESERTED_REACHABLE: {(STARTING,): (UNATTENDED, "limit", "probe"), _OTHERS: _IGNORE},
    DESERTED_CURRENT: {
        (STARTING,): (UNATTENDED, "limit", "probe"),
        (HELD, FAILED, *PARKING, PARKED): (_SAME, "park, fall back"),
        _OTHERS: _IGNORE,
    },
    ENDED: {
        (HELD, STARTING): (FAILED, "signal rest", "kill later"),
        (SERVING,): (RESTARTING, "lead away", "restart soon"),
        (WARM,): (WARM_RESTARTING, "lead away", "restart soon"),
        OUTAGE: (_SAME, "restart"),
        (DRAINING,): (STOPPING, "stop app"),
        (PARK_DRAINING,): (PARK_STOPPING, "stop app"),
        (STOPPING, PARK_STOPPING, PARKED, GONE): (_SAME, "signal rest"),
        (FAILED,): _IMPOSSIBLE,
    },
    ENDED_REPLACEABLE: {(UNATTENDED,): (_SAME, "park, fall back"), _OTHERS: _IMPOSSIBLE},
    ALL_ENDED: {(STOPPING,): (GONE, "leave"), (PARK_STOPPING,): (PARKED, "run deferred"), _OTHERS: _IGNORE},
    SILENT: {
        (SERVING,): (RESTARTING, "lead away", "end app", "kill later"),
        (WARM,): (WARM_RESTARTING, "lead away", "end app", "kill later"),
        _OTHERS: _IGNORE,
    },
    LISTENER_SHUTDOWN: {
        (SERVING,): (RESTARTING, "lead away", "kill later"),
        (WARM,): (WARM_RESTARTING, "lead away", "kill later"),
        OUTAGE: (_SAME, "kill later"),
        _OTHERS: _IGNORE,
    },
    ANSWERED: {
        (UNATTENDED,): (SERVING, "serve", "admit"),
        (RESTARTING, DOWN): (SERVING, "serve"),
        (WARM_RESTARTING,): (WARM, "serve", "admit"),
        _OTHERS: _IMPOSSIBLE,
    },
    GAVE_UP: {
        (RESTARTING,): (DOWN, "refuse"),
        (WARM_RESTARTING,): (_SAME, "refuse"),
        (UNATTENDED,): _IGNORE,  # it is given up as OVERDUE
        _OTHERS: _IMPOSSIBLE,
    },
    RELIEVED: {(DOWN,): (RESTARTING,), _OTHERS: _IGNORE},
    OVERDUE: {(HELD, STARTING, UNATTENDED, FAILED, *PARKING, PARKED): (_SAME, "park, fall back"), _OTHERS: _IGNORE},
    WARM_OVER: {(WARM,): (DRAINING, "drain"), (WARM_RESTARTING,): (DRAINING, "skip drain"), _OTHERS: _IMPOSSIBLE},
    DRAINED: {(DRAINING,): (STOPPING, "stop app"), (PARK_DRAINING,): (PARK_STOPPING, "stop app"), _OTHERS: _IMPOSSIBLE},
    FALL_BACK: {PARKING: (_SAME, "defer"), (PARKED,): (_SAME, "hand back"), _OTHERS: _IMPOSSIBLE},
    LEFT_ALONE: {(PARKED,): (HELD, "end predecessors"), _OTHERS: _IMPOSSIBLE},
}


def outcome(state: str, event: str) -> tuple[str, ...] | None:
    """Return (next state, *actions) of the event in this state; None if it is impossible there."""
    rows = _ROWS[event]
    others = rows.get(_OTHERS, _IMPOSSIBLE)
    found = next((row for states, row in rows.items() if state in states), others)
    return (found[0] or state, *found[1:]) if found else None


def decides(state: str, event: str) -> bool:
    """Return whether the event does anything in this state."""
    return outcome(state, event) not in (None, (state,))


class Lifecycle:
    """Follows the table of states; `actions` are the keeper's, by their names in the table."""

    def __init__(self, state: str, control: Control, log: Callable[[str], None]) -> None:
        self.state, self.control, self.log = state, control, log
        self.actions: dict[str, list[Callable[[], object]]] = {}
        self._deferred: str | None = None
        self._announced = self.shown

    @property
    def shown(self) -> str:
        """Return the word for the state that is used outside the keeper."""
        return SHOWN[self.state]

    @property
    def starts_again(self) -> bool:
        """Return whether the app is started once the instance is parked."""
        return self._deferred in (START, START_UNATTENDED)

    def on(self, event: str) -> bool:
        """
        Enter the state that follows, and carry out the actions; return False if the event changes nothing.

        Peers learn of the new state after the actions: connections are held, for example, before the app is "starting".
        An action may lead to another event; then they learn of the state in between first.
        """
        following = outcome(self.state, event)
        if following is None:
            self.log(f"internal error: {event!r} cannot happen to an instance that is {self.state}")
            return False
        self._announce()
        before, (self.state, *actions) = self.state, following
        try:
            for action in actions:
                if action == "defer":
                    self._defer(event)
                else:
                    for call in self.actions[action]:
                        call()
        finally:
            self._announce()
        return self.state != before or bool(actions)

    def _announce(self) -> None:
        if self.shown != self._announced:
            self._announced = self.shown
            self.control.push({"event": "state", "state": self.shown})

    def take_deferred(self) -> str | None:
        """Return the event that has waited until the instance is parked, once."""
        event, self._deferred = self._deferred, None
        return event

    def _defer(self, event: str) -> None:
        """Keep an event; a start takes precedence over falling back."""
        if event != FALL_BACK or self._deferred is None:
            self._deferred = event
