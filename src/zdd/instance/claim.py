"""
Whether a process is the instance that pid files name, where another user could have written them.

Who can write a pid file can name any process, and what is named is stopped one day, by root; who can write a port file
can name anybody's port, and nginx is led there. So neither is believed without a proof: the process was started with a
secret that only this start was given; or, for a daemon that has lost its environment, it listens on that port itself,
is younger than the start, and the files were written by root or by the very user it runs as, who could stop it and
answer on its port in any case.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from zdd.host import process, sock_diag
from zdd.host.guarded import Found
from zdd.host.process import Process

_HEARD = ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1")  # where it listens who is met at 127.0.0.1


class Claim(NamedTuple):
    """What a pid file and a port file say: this process is the instance, and listens on this port."""

    main: Process
    port: int
    files: tuple[Found, Found]

    @property
    def shared(self) -> bool:
        """Tell whether another user than root could have made it up."""
        return any(file.shared for file in self.files)

    def doubt(self, started: Collection[int], since: int) -> str | None:
        """
        Return why the claim of a new instance is not believed, None when it is.

        `started` are the processes known to be of this start, `since` the moment of it, as a process's start time.
        """
        if self.main.pid in started:
            return None if self._listens({*started, *self._tree()}) else f"it does not listen on port {self.port}"
        if self.main.start_time < since:
            return "it ran before the start"
        return self._own_doubt(root_may_speak=True)

    def is_adopted(self) -> bool:
        """Tell whether the claim is believed of an instance that an earlier zdd left and nothing is written down of."""
        if self.shared:
            return self._own_doubt(root_may_speak=False) is None
        return any(port == self.port for _, port in sock_diag.listeners(self._tree()))

    def _own_doubt(self, root_may_speak: bool) -> str | None:
        """
        Return why a process without the secret is not believed.

        What root wrote is no proof for an old process: files of root's can be renamed by whoever owns their folder.
        """
        users = process.user_ids(self.main.pid)
        for file in self.files:
            by_root = file.owner == 0
            if file.shared and not (root_may_speak if by_root else users == {file.owner}):
                return "it is not a process of the user who wrote that"
        if not self._listens({self.main.pid}):
            return f"it does not listen on port {self.port}"
        return None if self.main.alive() else "it has ended"

    def _tree(self) -> list[int]:
        return [self.main.pid, *process.descendants(self.main.pid)]

    def _listens(self, pids: Collection[int]) -> bool:
        return any(port == self.port and at in _HEARD for at, port in sock_diag.listeners(list(pids)))
