"""What the parts of a keeper work with: the objects of one instance, of which each keeper has one each."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.app import App
    from zdd.keeper.control import Control
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Loop
    from zdd.keeper.probe import Probe
    from zdd.keeper.record import Record
    from zdd.keeper.relay import Relay


class Shared:
    """The objects that all parts share. Tests replace most of them, and the clock of the loop."""

    def __init__(
        self,
        record: Record,
        app: App,
        listener: Listener,
        relay: Relay,
        probe: Probe,
        loop: Loop,
        control: Control,
        log: Callable[[str], None],
    ) -> None:
        self.record, self.app, self.listener, self.relay, self.probe = record, app, listener, relay, probe
        self.loop, self.deadlines, self.control, self.log = loop, loop.deadlines, control, log


class Part(Shared):
    """One part of the keeper: it has the shared objects as attributes of its own."""

    def __init__(self, shared: Shared) -> None:
        self.__dict__.update(vars(shared))
