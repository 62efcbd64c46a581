"""One attempt to start nginx."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Self

from zdd.host import files, process, systemd
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.nginx.errors import ProxyError
from zdd.nginx.process import complaints, port_conflict, running, takeover

_ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "TZ")  # nginx lives on: without a CI job's secrets and markers
# nginx writes its title over its arguments and environment: without room the end of the -c we know it by is cut off.
_ROOM = {"ZDD_ROOM_FOR_TITLE": "-" * len(running.MASTER)}


class Launch:
    """
    Runs nginx, which goes into the background by itself (or does not, with `daemon off`).

    What it prints goes to a file for as long as somebody waits for it; with `error_log stderr` that file is its log.
    `inherited` are sockets that it shall listen on instead of binding its own. Where systemd runs it is in the scope
    `unit`, which is there for as long as any of its processes.
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
        self._child = commands.spawn(argv, "/", environment, self._output, inherited)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.forget()
        if not any(_leads_to(f"/proc/{master.pid}/fd/2", self._output) for master in self._masters()):
            files.remove(self._output)

    def has_failed(self) -> bool:
        """Tell whether nginx gave up; that it did not yet does not mean that it runs."""
        return bool(self._child.status())

    def failure(self, pid_file: str, clock: Clock) -> ProxyError:
        """End what was started, and return why it is of no use."""
        reason = complaints.in_output("\n".join(files.tail(self._output, 50)))
        if not self._masters():
            return ProxyError(f"nginx does not start: {reason}", hint=port_conflict.hint(reason))
        process.end(self._masters(), signal.SIGTERM, 5.0, clock.now)
        return ProxyError(
            f"nginx started, but did not write {pid_file}", hint=f"its configuration must say `pid {pid_file};`"
        )

    def _masters(self) -> list[process.Process]:
        return [master for master in running.masters_of(self.conf_file) if master not in self._others]


def _leads_to(descriptor: str, path: str) -> bool:
    try:
        return os.path.samefile(descriptor, path)
    except OSError:
        return False
