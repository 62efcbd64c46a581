"""
Whether a process is the instance that a pid file names, where another user could have written that file.

A user who can write a pid file can name any process, and root will stop that process later. A user who can write a port
file can name any port, and nginx will send requests there. So zdd believes neither file without a proof. The first
proof: the process has a secret in its environment that only this start was given. The second one is for a daemon that
has dropped its environment: the process listens on that port itself, and its own user wrote its pid file; that user
could stop it and answer on its port anyway. A file that root wrote is believed of a process younger than the start.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from zdd.host import process, sock_diag
from zdd.host.guarded import Found
from zdd.host.process import Process
from zdd.instances.classic.pid_files import PidFiles

_HIGHEST_PORT = 65535


class Evidence(NamedTuple):
    """What a pid file and a port file say: this process is the instance, and it listens on this port."""

    main: Process
    port: int
    pid_file: Found
    port_file: Found

    @classmethod
    def read(cls, pid_files: PidFiles, path: str) -> Evidence | str:
        """Return what a pid file and its port file say, or which part is missing. Raises Untrusted."""
        pid_file = pid_files.look(path)
        if pid_file is None or pid_file.number is None:
            return f"no process number in {path}"
        main = Process.find(pid_file.number)
        if main is None:
            return f"{path} names process {pid_file.number}, which does not run"
        port_path = pid_files.port_file(main.pid)
        port_file = pid_files.look(port_path)
        if port_file is None or port_file.number is None or port_file.number > _HIGHEST_PORT:
            return f"no port number in {port_path}"
        return cls(main, port_file.number, pid_file, port_file)

    @property
    def identity(self) -> tuple[int, int]:
        """The process as records name it."""
        return self.main.pid, self.main.start_time

    @property
    def shared(self) -> bool:
        """Whether another user than root could have written one of the files."""
        return self.pid_file.shared or self.port_file.shared

    def doubt(self, started: Collection[int], since: int) -> str | None:
        """
        Return why the files are not believed of a new instance, None if they are.

        `started` are the processes that this start is known to have started, `since` is its moment, as a process's
        start time.
        """
        if self.main.pid in started:
            return self._doubt_of_port({*started, *self._tree()})
        if self.pid_file.shared and self.main.start_time < since:
            return "it ran before the start"
        return self._doubt_without_secret(root_may_speak=True)

    def is_adopted(self) -> bool:
        """Return whether the files are believed of an instance that an earlier zdd left, without a record."""
        if self.shared:
            return self._doubt_without_secret(root_may_speak=False) is None
        return any(port == self.port for _, port in sock_diag.listeners(self._tree()))

    def _doubt_without_secret(self, root_may_speak: bool) -> str | None:
        """
        Return why a process without the secret is not believed, None if it is.

        A file that root wrote proves nothing about an old process: it may have named another one, and the owner of the
        folder can rename files.
        """
        if not self.pid_file.shared:
            return self._doubt_of_port(self._tree())
        by_root = self.pid_file.owner == 0
        if not (root_may_speak if by_root else process.user_ids(self.main.pid) == {self.pid_file.owner}):
            return "it is not a process of the user who wrote that"
        return self._doubt_of_port({self.main.pid})

    def _doubt_of_port(self, pids: Collection[int]) -> str | None:
        listeners = sock_diag.listeners(list(pids))
        if not any(port == self.port and address in sock_diag.AT_LOOPBACK for address, port in listeners):
            return f"it does not listen on port {self.port}"
        return None if self.main.alive() else "it has ended"

    def _tree(self) -> list[int]:
        return [self.main.pid, *process.descendants(self.main.pid)]
