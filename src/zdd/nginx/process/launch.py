"""One attempt to start nginx."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Self

from zdd.host import files, low_ports, process, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx.process import complaints, running, takeover
from zdd.nginx.process.complaints import ProxyError

_ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "TZ")  # nginx outlives a CI job, and must not get its secrets
# nginx writes its title over its arguments and environment. Without this room the title loses the end of the path
# after -c, by which we recognize the master.
_ROOM = {"ZDD_ROOM_FOR_TITLE": "-" * max(map(len, running.MASTERS))}


class Launch:
    """
    Runs nginx, which goes into the background by itself (except with `daemon off`).

    Its output goes to a file until the launch ends; with `error_log stderr` that file stays, as its log. nginx listens
    on the sockets `inherited` instead of binding its own. Under systemd, all its processes are in the scope `unit`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        conf_file: str,
        commands: Commands,
        inherited: Sequence[int] = (),
        unit: systemd.Unit | None = None,
    ) -> None:
        self.conf_file = conf_file
        self._output = f"{conf_file}.output"
        self._others = running.masters_of(conf_file)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _ROOM
        environment |= takeover.environment(inherited)
        if unit:
            argv, more = systemd.in_scope(unit, argv)
            environment |= more
        with low_ports.passed_on():
            self._child = commands.spawn(argv, "/", environment, self._output, inherited)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.forget()
        if not any(files.is_same(f"/proc/{master.pid}/fd/2", self._output) for master in self._masters()):
            files.remove(self._output)

    def has_failed(self) -> bool:
        """Return whether nginx gave up. False does not mean that it runs."""
        return bool(self._child.status())

    def failure(self, pid_file: str, clock: Clock) -> ProxyError:
        """End the processes that were started, and return the error that says why."""
        reason = complaints.in_output("\n".join(files.tail(self._output, 50)))
        if not self._masters():
            return ProxyError(f"nginx does not start: {reason}", hint=complaints.hint(reason))
        process.end(self._masters(), signal.SIGTERM, running.FAST, clock.now)
        return ProxyError(
            f"nginx started, but did not write {pid_file}", hint=f"its configuration must say `pid {pid_file};`"
        )

    def _masters(self) -> list[process.Process]:
        return [master for master in running.masters_of(self.conf_file) if master not in self._others]
