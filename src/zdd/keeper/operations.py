"""The operations that a keeper offers on its control socket."""

from __future__ import annotations

from zdd.host.process import Process
from zdd.keeper import OLDEST, VERSION, access, message, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.keeper import Keeper

    Message = dict[str, Any]


_SHOWN = 200  # characters of a request in an answer


class Operations:
    """Each operation is a method that takes the request and returns the answer."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.known: dict[str, Callable[[Message], Message]] = {
            "status": self._status,
            "attach": lambda _: self._attach(),
            "rest": self._park,
            "start": lambda request: self._answer(keeper.start(bool(request.get("alone"))), "nothing to start"),
            "healthy": self._healthy,
            "retire": self._retire,
            "unretire": lambda _: self._answer(keeper.unretire(), "it is too late for that"),
            "pause": lambda request: self._answer(keeper.pause(float(request["seconds"])), "its requests cannot wait"),
            "resume": lambda _: self._answer(keeper.hold.resume(), "it was not paused"),
            "access": self._access,
            "times": self._times,
            "stop": lambda _: self._stop(),
        }

    def handle(self, request: Message) -> Message:
        """Answer a request; the answer to an unknown one lists the known ones."""
        version, name = request.get("version"), request.get("op")
        if not isinstance(version, int) or not OLDEST <= version <= VERSION:
            words = f"version {repr(version)[:_SHOWN]} is not spoken here, only {OLDEST} to {VERSION}"
            return {"ok": False, "version": VERSION, "oldest": OLDEST, "error": words}
        if not isinstance(name, str) or name not in self.known:
            words = f"there is no operation {repr(name)[:_SHOWN]}, only {', '.join(self.known)}"
            return {"ok": False, "unknown": repr(name)[:_SHOWN], "error": words}
        if problem := message.wrong(request):
            return {"ok": False, "error": f"{name}: {problem}"}
        try:
            return self.known[name](request)
        except (KeyError, TypeError, ValueError, OSError) as error:
            return {"ok": False, "error": f"{name}: {error!r} in {repr(request)[:_SHOWN]}"}

    def _answer(self, done: bool, why_not: str) -> Message:
        answer: Message = {"ok": done, "state": self.keeper.life.shown}
        return answer if done else answer | {"error": f"the instance is {self.keeper.life.shown}: {why_not}"}

    def _status(self, request: Message) -> Message:
        """
        `brief` leaves out what is expensive: connections need a scan of all sockets, strangers of all processes.

        With `where`, it has the files by which whoever asks can count the connections of many instances in one scan.
        """
        keeper, app = self.keeper, self.keeper.app
        brief: Message = {
            "ok": True,
            "version": VERSION,
            "instance": keeper.record.instance,
            "service": keeper.record.service,
            "release": keeper.record.release,
            "state": keeper.life.shown,
            "pid": app.pid,
            "since": app.since,
            "restarts": keeper.outage.restarts,
            "restart_in": keeper.outage.restart_in,
            "address": keeper.listener.address,
            "port": keeper.listener.port,
            "paused": keeper.hold.paused_until and max(0.0, keeper.hold.paused_until - keeper.deadlines.now()),
            "exit": keeper.runner.ended.words if keeper.runner.ended else None,
            "waiting": keeper.presence.acceptance.waiting,
            "stalled": keeper.presence.acceptance.stalled,
            "drained": keeper.drain.drained,
            "cut": keeper.drain.cut,
            "handed": keeper.drain.handed,
        }
        if request.get("where") and (files := keeper.listener.files()) is not None:
            brief["files"] = files
        if request.get("brief"):
            return brief
        stranger, program_of_root = keeper.listener.others()
        return brief | {
            "connections": keeper.listener.connections(),
            "long_lived": keeper.long_lived.count(),
            "stranger": stranger,
            "program_of_root": program_of_root,
        }

    def _healthy(self, request: Message) -> Message:
        """Refuse if another program has answered in place of the app, or, unless asked for sure, perhaps a daemon."""
        if not request.get("sure") and self.keeper.app.leaves_its_session():
            error = "a process of the app has left its session"
            return {"ok": False, "state": self.keeper.life.shown, "background": True, "error": error}
        if stranger := self.keeper.listener.stranger():
            return {"ok": False, "state": self.keeper.life.shown, "stranger": stranger, "error": stranger}
        return self._answer(self.keeper.healthy(), "nothing runs that could serve")

    def _attach(self) -> Message:
        """Report how the app ended to a peer that attaches after it has failed."""
        ended = self.keeper.runner.ended if self.keeper.life.state == states.FAILED else None
        return {"ok": True, "state": self.keeper.life.shown, "events": [ended.event()] if ended else []}

    def _retire(self, request: Message) -> Message:
        workers = [Process(int(pid), int(start_time)) for pid, start_time in request.get("workers", ())]
        self.keeper.retire(float(request["warm"]), float(request["drain"]), workers)
        return {"ok": True, "state": self.keeper.life.shown}

    def _park(self, request: Message) -> Message:
        done = self.keeper.park(float(request["drain"]), bool(request["way_back"]))
        return self._answer(done, "it is going for good")

    def _access(self, request: Message) -> Message:
        access.grant(self.keeper.record, [int(user) for user in request["users"]])
        self.keeper.record.write()
        return {"ok": True, "state": self.keeper.life.shown}

    def _times(self, request: Message) -> Message:
        """Take new times, also for a drain or a stop that has begun; they stay in the record, should we be killed."""
        keeper, record = self.keeper, self.keeper.record
        warm, drain, stop = (float(request[name]) for name in ("warm", "drain", "stop"))
        record.keep_warm, record.drain_timeout, record.stop_timeout = warm, drain, stop
        record.write()
        keeper.drain.renew(warm, drain)
        keeper.runner.renew()
        return {"ok": True, "state": keeper.life.shown}

    def _stop(self) -> Message:
        self.keeper.stop()
        return {"ok": True, "state": self.keeper.life.shown}
