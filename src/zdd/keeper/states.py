"""
The life of an instance as one table: (state, event) -> (state, actions). Pure: the keeper carries out the actions.

The usual way is starting, serving, warm, draining, stopping, gone. In a stop-first deploy the old instance is parked:
drained and stopped while its place is kept, so that it can be started again when the new version fails.
"""

from __future__ import annotations

# States
HELD = "held"  # it listens, and requests wait; no app has been started yet
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
OVERDUE = "overdue"  # requests have waited at the instance for hold_max, and `current` leads there
WARM_OVER = "warm over"
DRAINED = "drained"
FALL_BACK = "fall back"  # the predecessor is to serve again, once this instance is parked

# Actions
LAUNCH = "launch"  # start the app
LIMIT = "limit"  # the app must answer within hold_max
PROBE = "probe"  # send health requests until one is answered
TEND = "tend"
SERVE = "serve"  # end the outage, and watch that the app goes on accepting
ADMIT = "admit"  # release the requests that wait
LEAD_AWAY = "lead away"  # connections wait, or go to the siblings
REFUSE = "refuse"
RESTART = "restart"  # start the app again after a delay
RESTART_SOON = "restart soon"  # without a delay if it ended without an error
END_APP = "end app"
KILL_LATER = "kill later"  # after stop_timeout
SIGNAL_REST = "signal rest"  # tell what is left of the app to stop
KEEP_WARM = "keep warm"
STAY = "stay"
DRAIN = "drain"
SKIP_DRAIN = "skip drain"  # nothing serves: connections in the queue are relayed
STOP_APP = "stop app"
STOP_SOON = "stop soon"
RETURN = "fall back to the predecessor"
HAND_BACK = "hand back"
DEFER = "defer"  # the event comes again once the instance is parked
RUN_DEFERRED = "run deferred"
LEAVE = "leave"

_SAME = ""
_IGNORE: tuple[str, ...] = (_SAME,)
_IMPOSSIBLE: tuple[str, ...] = ()
_OTHERS: tuple[str, ...] = ()

# event: {states: (next state, *actions)}
_ROWS: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {
    START: {(HELD, PARKED): (STARTING, LAUNCH), PARKING: (_SAME, DEFER), (GONE,): _IMPOSSIBLE, _OTHERS: _IGNORE},
    START_UNATTENDED: {
        (HELD, PARKED): (UNATTENDED, LIMIT, LAUNCH),
        (STARTING,): (UNATTENDED, LIMIT, PROBE),
        PARKING: (_SAME, DEFER),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: _IGNORE,
    },
    HEALTHY: {(STARTING,): (SERVING, TEND, SERVE, ADMIT), (GONE,): _IMPOSSIBLE, _OTHERS: _IGNORE},
    RETIRE: {
        (HELD, STARTING, SERVING, WARM): (WARM, KEEP_WARM),
        OUTAGE: (WARM_RESTARTING, KEEP_WARM),
        (*PARKING, PARKED): (_SAME, STOP_SOON),
        (FAILED,): (STOPPING, STOP_APP),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: _IGNORE,
    },
    UNRETIRE: {(WARM,): (SERVING, STAY), (GONE,): _IMPOSSIBLE, _OTHERS: _IGNORE},
    PARK: {
        (HELD, STARTING, SERVING, WARM, FAILED): (PARK_DRAINING, DRAIN),
        OUTAGE: (PARK_DRAINING, SKIP_DRAIN),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: _IGNORE,
    },
    STOP: {(STOPPING, GONE): _IGNORE, (PARK_STOPPING,): (STOPPING,), _OTHERS: (STOPPING, STOP_APP)},
    DESERTED: {
        (WARM, WARM_RESTARTING, DRAINING, STOPPING): _IGNORE,
        (PARK_STOPPING,): (STOPPING,),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: (STOPPING, STOP_APP),
    },
    DESERTED_REACHABLE: {(STARTING,): (UNATTENDED, LIMIT, PROBE), (GONE,): _IMPOSSIBLE, _OTHERS: _IGNORE},
    DESERTED_CURRENT: {
        (STARTING,): (UNATTENDED, LIMIT, PROBE),
        (HELD, FAILED, *PARKING, PARKED): (_SAME, RETURN),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: _IGNORE,
    },
    ENDED: {
        (HELD, STARTING): (FAILED, SIGNAL_REST, KILL_LATER),
        (SERVING,): (RESTARTING, LEAD_AWAY, RESTART_SOON),
        (WARM,): (WARM_RESTARTING, LEAD_AWAY, RESTART_SOON),
        OUTAGE: (_SAME, RESTART),
        (DRAINING,): (STOPPING, STOP_APP),
        (PARK_DRAINING,): (PARK_STOPPING, STOP_APP),
        (STOPPING, PARK_STOPPING, PARKED, GONE): (_SAME, SIGNAL_REST),
        (FAILED,): _IMPOSSIBLE,
    },
    ENDED_REPLACEABLE: {(UNATTENDED,): (_SAME, RETURN), _OTHERS: _IMPOSSIBLE},
    ALL_ENDED: {(STOPPING,): (GONE, LEAVE), (PARK_STOPPING,): (PARKED, RUN_DEFERRED), _OTHERS: _IGNORE},
    SILENT: {
        (SERVING,): (RESTARTING, LEAD_AWAY, END_APP, KILL_LATER),
        (WARM,): (WARM_RESTARTING, LEAD_AWAY, END_APP, KILL_LATER),
        _OTHERS: _IGNORE,
    },
    LISTENER_SHUTDOWN: {
        (SERVING,): (RESTARTING, LEAD_AWAY, KILL_LATER),
        (WARM,): (WARM_RESTARTING, LEAD_AWAY, KILL_LATER),
        OUTAGE: (_SAME, KILL_LATER),
        _OTHERS: _IGNORE,
    },
    ANSWERED: {
        (UNATTENDED,): (SERVING, SERVE, ADMIT),
        (RESTARTING, DOWN): (SERVING, SERVE),
        (WARM_RESTARTING,): (WARM, SERVE, ADMIT),
        _OTHERS: _IMPOSSIBLE,
    },
    GAVE_UP: {(RESTARTING,): (DOWN, REFUSE), (WARM_RESTARTING,): (_SAME, REFUSE), _OTHERS: _IMPOSSIBLE},
    OVERDUE: {
        (HELD, STARTING, UNATTENDED, FAILED, *PARKING, PARKED): (_SAME, RETURN),
        (GONE,): _IMPOSSIBLE,
        _OTHERS: _IGNORE,
    },
    WARM_OVER: {(WARM,): (DRAINING, DRAIN), (WARM_RESTARTING,): (DRAINING, SKIP_DRAIN), _OTHERS: _IMPOSSIBLE},
    DRAINED: {(DRAINING,): (STOPPING, STOP_APP), (PARK_DRAINING,): (PARK_STOPPING, STOP_APP), _OTHERS: _IMPOSSIBLE},
    FALL_BACK: {PARKING: (_SAME, DEFER), (PARKED,): (_SAME, HAND_BACK), _OTHERS: _IMPOSSIBLE},
}


def _outcomes(event: str) -> dict[str, tuple[str, ...]]:
    """Return (next state, *actions) of each state in which the event is possible."""
    rows = _ROWS[event]
    by_state = {state: outcome for states, outcome in rows.items() for state in states}
    outcomes = {state: by_state.get(state, rows.get(_OTHERS, _IMPOSSIBLE)) for state in SHOWN}
    return {state: (outcome[0] or state, *outcome[1:]) for state, outcome in outcomes.items() if outcome}


TABLE = {(state, event): (new, actions) for event in _ROWS for state, (new, *actions) in _outcomes(event).items()}


def decides(state: str, event: str) -> bool:
    """Return whether the event does anything in this state."""
    new, actions = TABLE.get((state, event), (state, []))
    return new != state or bool(actions)
