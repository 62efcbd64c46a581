"""The table of states, pair by pair, and what holds for all of it."""

from __future__ import annotations

import pytest

from zdd.keeper import states

from .conftest import NewStage

# Columns are states, rows are events. A cell is the next state, = for actions in the same state, - for nothing at all,
# ! for what cannot happen.
GRID = """
EVENT               HEL STA UNA SER RES DOW WAR WRE DRA STO FAI PDR PST PAR GON
START               STA -   -   -   -   -   -   -   -   -   -   =   =   STA -
START_UNATTENDED    UNA UNA -   -   -   -   -   -   -   -   -   =   =   UNA -
HEALTHY             -   SER -   -   -   -   -   -   -   -   -   -   -   -   -
RETIRE              WAR WAR WRE WAR WRE WRE =   =   -   -   STO =   =   =   -
UNRETIRE            -   -   -   -   -   -   SER -   -   -   -   -   -   -   -
PARK                PDR PDR PDR PDR PDR PDR PDR PDR -   -   PDR -   -   -   -
STOP                STO STO STO STO STO STO STO STO STO -   STO STO STO STO -
DESERTED            STO STO STO STO STO STO -   -   -   -   STO STO STO STO -
DESERTED_REACHABLE  -   UNA -   -   -   -   -   -   -   -   -   -   -   -   -
DESERTED_CURRENT    =   UNA -   -   -   -   -   -   -   -   =   =   =   =   -
ENDED               FAI FAI =   RES =   =   WRE =   STO =   !   PST =   =   =
ENDED_REPLACEABLE   !   !   =   !   !   !   !   !   !   !   !   !   !   !   !
ALL_ENDED           -   -   -   -   -   -   -   -   -   GON -   -   PAR -   -
SILENT              -   -   -   RES -   -   WRE -   -   -   -   -   -   -   -
LISTENER_SHUTDOWN   -   -   =   RES =   =   WRE =   -   -   -   -   -   -   -
ANSWERED            !   !   SER !   SER SER !   WAR !   !   !   !   !   !   !
GAVE_UP             !   !   -   !   DOW !   !   =   !   !   !   !   !   !   !
RELIEVED            -   -   -   -   -   RES -   -   -   -   -   -   -   -   -
OVERDUE             =   =   =   -   -   -   -   -   -   -   =   =   =   =   -
WARM_OVER           !   !   !   !   !   !   DRA DRA !   !   !   !   !   !   !
DRAINED             !   !   !   !   !   !   !   !   STO !   !   PST !   !   !
FALL_BACK           !   !   !   !   !   !   !   !   !   !   !   =   =   =   !
LEFT_ALONE          !   !   !   !   !   !   !   !   !   !   !   !   !   HEL !
"""
ABBREVIATED = {
    "HEL": states.HELD,
    "STA": states.STARTING,
    "UNA": states.UNATTENDED,
    "SER": states.SERVING,
    "RES": states.RESTARTING,
    "DOW": states.DOWN,
    "WAR": states.WARM,
    "WRE": states.WARM_RESTARTING,
    "DRA": states.DRAINING,
    "STO": states.STOPPING,
    "FAI": states.FAILED,
    "PDR": states.PARK_DRAINING,
    "PST": states.PARK_STOPPING,
    "PAR": states.PARKED,
    "GON": states.GONE,
}
ALL = list(ABBREVIATED.values())


def grid() -> dict[tuple[str, str], str]:
    """Return the cell of each state and event."""
    header, *rows = (line.split() for line in GRID.strip().splitlines())
    columns = [ABBREVIATED[word] for word in header[1:]]
    return {
        (state, getattr(states, name)): cell
        for name, *cells in rows
        for state, cell in zip(columns, cells, strict=True)
    }


TABLE = {(state, event): found for state, event in grid() if (found := states.outcome(state, event))}


def cell_of(state: str, event: str) -> str:
    """Return what the table decides, as the grid writes it."""
    if (state, event) not in TABLE:
        return "!"
    if not states.decides(state, event):
        return "-"
    new = TABLE[state, event][0]
    return "=" if new == state else next(word for word, name in ABBREVIATED.items() if name == new)


def after(state: str, *events: str) -> str:
    for event in events:
        state = TABLE[state, event][0]
    return state


@pytest.mark.parametrize("event", sorted({event for _, event in grid()}))
def test_every_pair_is_decided_or_cannot_happen(event: str) -> None:
    expected = {state: grid()[state, event] for state in ALL}

    assert {state: cell_of(state, event) for state in ALL} == expected


def test_the_grid_has_every_state_and_every_event() -> None:
    assert set(states.SHOWN) == set(ALL)
    assert {event for _, event in grid()} == set(states._ROWS)
    assert len(grid()) == len(ALL) * len({event for _, event in grid()})


def test_the_words_that_others_read_are_those_of_version_0_1_0() -> None:
    words = {"starting", "serving", "warm", "draining", "stopping", "failed", "resting", "down"}

    assert set(states.SHOWN.values()) == words


def test_every_state_can_be_reached() -> None:
    reached = {states.HELD, states.STARTING}
    for _ in ALL:
        reached |= {new for (state, _), (new, *_) in TABLE.items() if state in reached}

    assert reached == set(ALL)


def test_requests_are_released_only_once_the_app_has_proved_itself() -> None:
    released = {(state, event) for (state, event), (_, *actions) in TABLE.items() if "admit" in actions}

    assert released == {
        (states.STARTING, states.HEALTHY),
        (states.UNATTENDED, states.ANSWERED),
        (states.WARM_RESTARTING, states.ANSWERED),
    }


@pytest.mark.parametrize("state", [state for state in ALL if state != states.GONE])
def test_every_instance_can_be_stopped(state: str) -> None:
    assert after(state, states.STOP, states.ALL_ENDED) == states.GONE


@pytest.mark.parametrize("state", [state for state in ALL if states.decides(state, states.PARK)])
def test_what_can_be_parked_is_drained_stopped_and_can_be_started_again(state: str) -> None:
    parked = after(state, states.PARK, states.DRAINED, states.ALL_ENDED)

    assert parked == states.PARKED
    assert after(parked, states.START, states.HEALTHY) == states.SERVING
    assert after(parked, states.START_UNATTENDED, states.ANSWERED) == states.SERVING


@pytest.mark.parametrize("event", [states.START, states.START_UNATTENDED, states.FALL_BACK])
def test_what_is_to_happen_to_a_parked_instance_waits_for_the_end_of_its_app(event: str) -> None:
    for state in states.PARKING:
        assert TABLE[state, event] == (state, "defer")
    assert states.decides(states.PARKED, event)


def test_a_start_is_not_forgotten_over_falling_back(stage: NewStage) -> None:
    life = stage().keeper.life
    life.state = states.PARK_STOPPING

    life.on(states.START)
    life.on(states.FALL_BACK)

    assert life.take_deferred() == states.START
    assert life.take_deferred() is None


def test_an_app_is_never_started_beside_another_one() -> None:
    starting = {state for (state, _), (_, *actions) in TABLE.items() if "launch" in actions}

    assert starting == {states.HELD, states.PARKED}


def test_the_keeper_carries_out_every_action(stage: NewStage) -> None:
    named = {action for _, *actions in TABLE.values() for action in actions}

    assert named == {*stage().keeper.life.actions, "defer"}


def test_what_cannot_happen_is_logged_and_changes_nothing(stage: NewStage) -> None:
    starting = stage()

    assert not starting.keeper.life.on(states.DRAINED)

    assert starting.keeper.life.state == states.STARTING
    assert starting.logged[-1].startswith("internal error")
