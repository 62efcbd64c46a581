"""The state of one instance: each event leads to the next state, and to actions."""

from __future__ import annotations

from zdd.keeper import states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.control import Control


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
        return states.SHOWN[self.state]

    @property
    def starts_again(self) -> bool:
        """Return whether the app is started once the instance is parked."""
        return self._deferred in (states.START, states.START_UNATTENDED)

    def on(self, event: str) -> bool:
        """
        Enter the state that follows, and carry out the actions; return False if the event changes nothing.

        Peers learn of the new state after the actions: connections are held, for example, before the app is "starting".
        An action may lead to another event; then they learn of the state in between first.
        """
        outcome = states.TABLE.get((self.state, event))
        if outcome is None:
            self.log(f"internal error: {event!r} cannot happen to an instance that is {self.state}")
            return False
        self._announce()
        before, (self.state, actions) = self.state, outcome
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
        if event != states.FALL_BACK or self._deferred is None:
            self._deferred = event
