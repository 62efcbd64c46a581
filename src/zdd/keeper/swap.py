"""
An instance's part in a stop-first change-over, in which two versions never run at once.

The new instance holds its socket, where clients wait; the old one is put to rest: drained, stopped, its place kept;
then the new one is started. When it does not become healthy, the same happens the other way round. The command line
leads. When it dies before it has told the new one to start, or that one fails afterwards, the new instance finishes
alone: it asks the old one to serve again, and relays who waits.
"""

from __future__ import annotations

from zdd.keeper import control, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.keeper import Keeper


class Swap:
    """Decides when this instance's app may run; `keeper` does what is decided."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.record, self.hold = keeper.record, keeper.hold
        self.resting = False  # at rest, or on the way there
        self.alone = False  # the app runs, and nobody will come to say whether it is healthy
        self.way_back = False  # was put to rest for another one: stays until the next command
        self._start_again = self._start_alone = self._hand_back = False  # what to do once it rests
        self._before = list(self.record.predecessors)

    def rest(self, drain: float, way_back: bool) -> bool:
        """
        Drain and stop the app, but keep its place; False when the instance is going for good.

        New connections wait, or go to the instance that `current` leads to, if that is another. So connections that
        have been open for long, and may never end, are cut after a short time.
        """
        keeper = self.keeper
        self.way_back = self.way_back or way_back
        if self.resting:
            return True
        if keeper.state not in (states.STARTING, states.SERVING, states.WARM, states.FAILED):
            return False
        keeper.resume()
        self._wait()  # raises OSError where there is no room for the socket: then the app goes on
        self.resting, self.alone = True, False
        if not self.record.current_leads_here():
            self.hold.send_to(self.record.sibling())
        keeper.begin_drain(drain)
        return True

    def start(self, alone: bool = False) -> bool:
        """
        Start the app that is held or rests; False when there is none.

        It proves itself when nobody is attached who could, or it is to be `alone`.
        """
        keeper = self.keeper
        alone = self._start_alone = alone or not keeper.control.leased
        if self.resting and keeper.state != states.RESTING:
            self._start_again = True
            self._wait()
        elif self.resting or (keeper.state == states.STARTING and not keeper.started):
            self.resting = self._hand_back = False
            self._wait()
            if alone:
                self._prove_alone()
            else:
                keeper.start()
        elif keeper.state == states.STARTING and alone:
            self._prove_alone()
        return keeper.state in (states.STARTING, states.SERVING) or self._start_again

    def rested(self) -> None:
        """Nothing runs here any more: do what was waiting for that."""
        if self._start_again:
            self._start_again = False
            self.start(self._start_alone)
        elif self._hand_back:
            self._give_back()

    def deserted(self) -> None:
        """Nobody is attached to an instance that clients are led to, or that is the way back."""
        keeper = self.keeper
        if keeper.state == states.STARTING and keeper.started:
            self._prove_alone()
        elif self.record.current_leads_here() and (self.resting or keeper.state in (states.STARTING, states.FAILED)):
            self.fall_back()

    @property
    def may_fall_back(self) -> bool:
        """Tell whether a crash is that of a new version which nobody watches, and there is one to go back to."""
        return self.alone and bool(self._before) and self.record.current_leads_here()

    def overdue(self) -> None:
        """Somebody has waited for too long."""
        if self.record.current_leads_here() and (self.alone or self.keeper.state != states.SERVING):
            self.fall_back()

    def proved(self) -> None:
        """The app answers: let in who waits."""
        self.alone = False
        self.hold.end()

    def fall_back(self) -> None:
        """The new version does not serve, and nobody is there to decide: the old one shall, as soon as this rests."""
        self.keeper.tell("the version before is asked to serve again")
        self._hand_back = True
        if self.rest(0.0, way_back=False) and self.keeper.state == states.RESTING:
            self._give_back()

    def _wait(self) -> None:
        self.hold.begin(self.record.hold_max)

    def _give_back(self) -> None:
        self._hand_back = False
        self._before = [old for old in self._before if control.ask(old["control"] or "", "start", alone=True)]
        if self._before:
            self.hold.send_to(self._socket_of(self._before[0]))
        else:
            self.keeper.tell("nothing is left of the version before: this one is started")
            self.start(alone=True)

    def _socket_of(self, old: dict[str, str | None]) -> str | None:
        """
        Return where connections to the old one wait for it to serve again.

        One of zdd 0.1 has that in its app's folder, where we follow no name: then it is the app's own socket.
        """
        return old.get("socket") or (control.ask(old["control"] or "", "status", brief=True) or {}).get("address")

    def _prove_alone(self) -> None:
        """Nobody will say whether the app is healthy: find out, and give it up when it is not in time."""
        self.alone = True
        self.keeper.deadlines.at(self.record.hold_max, self.overdue)
        self.keeper.serve_unproved()
