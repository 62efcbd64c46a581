"""
Whether a process is the instance that pid files name, where another user could have written them.

Whoever can write a pid file can name any process, and root will stop that process one day. Whoever can write a port
file can name anybody's port, and nginx is led there. So neither is believed without a proof. Either the process was
started with a secret that only this start was given. Or, for a daemon that has lost its environment, the process
listens on that port itself, and its pid file was written by the very user it runs as, who could stop it and answer on
its port in any case; a file that root wrote is believed of a process that is younger than the start.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from zdd.host import process, sock_diag
from zdd.host.guarded import Found
from zdd.host.process import Process


class Evidence(NamedTuple):
    """What a pid file and a port file say: this process is the instance, and listens on this port."""

    main: Process
    port: int
    pid_file: Found
    port_file: Found

    @property
    def shared(self) -> bool:
        """Tell whether another user than root could have made it up."""
        return self.pid_file.shared or self.port_file.shared

    def doubt(self, started: Collection[int], since: int) -> str | None:
        """
        Return why the claim of a new instance is not believed, None when it is.

        `started` are the processes known to be of this start, `since` the moment of it, as a process's start time.
        """
        if self.main.pid in started:
            return self._doubt_of_port({*started, *self._tree()})
        if self.pid_file.shared and self.main.start_time < since:
            return "it ran before the start"
        return self._doubt_without_secret(root_may_speak=True)

    def is_adopted(self) -> bool:
        """Tell whether the claim is believed of an instance that an earlier zdd left and nothing is written down of."""
        if self.shared:
            return self._doubt_without_secret(root_may_speak=False) is None
        return any(port == self.port for _, port in sock_diag.listeners(self._tree()))

    def _doubt_without_secret(self, root_may_speak: bool) -> str | None:
        """
        Return why a process without the secret is not believed.

        Of an old process a file that root wrote proves nothing: it may have spoken of another one, and files can be
        renamed by whoever owns their folder.
        """
        if not self.pid_file.shared:
            return self._doubt_of_port(self._tree())
        by_root = self.pid_file.owner == 0
        if not (root_may_speak if by_root else process.user_ids(self.main.pid) == {self.pid_file.owner}):
            return "it is not a process of the user who wrote that"
        return self._doubt_of_port({self.main.pid})

    def _doubt_of_port(self, pids: Collection[int]) -> str | None:
        found = sock_diag.listeners(list(pids))
        if not any(port == self.port and address in sock_diag.AT_LOOPBACK for address, port in found):
            return f"it does not listen on port {self.port}"
        return None if self.main.alive() else "it has ended"

    def _tree(self) -> list[int]:
        return [self.main.pid, *process.descendants(self.main.pid)]
