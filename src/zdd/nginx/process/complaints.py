"""What nginx complains about, on its standard error or in its logs; the error for it, and the hint that zdd has."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable

from zdd.errors import DeployFailed, UsageError, ZddError
from zdd.host import files, process, sock_diag
from zdd.host.process import Process
from zdd.nginx.config import parse
from zdd.nginx.process import running

_HIGHEST_PORT = 65535

_LINE = r"(?:nginx: |\S+ \S+ )?\[(?P<level>\w+)\] (?:(?P<pid>\d+)#\d+: )?(?P<reason>.*)"


class ProxyError(DeployFailed):
    """
    nginx refused a text, a start or a reload; the message quotes nginx. What nginx ran before, it still runs.

    Not `certain`: nginx did not say that it refuses, and may still take the text.
    """

    def __init__(self, message: str, *, hint: str | None = None, certain: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.certain = certain


def unwritable(message: str, error: OSError, hint: str | None = None) -> ZddError:
    """Return the error for a text that cannot be written; a full disk is not a mistake in the configuration."""
    return ProxyError(message) if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError(message, hint=hint)


def in_output(output: str) -> str:
    """Return nginx's reason in one line, or all its output if it gave no reason."""
    return _joined(_emergencies(output.splitlines())) or " ".join(output.split()) or "it said nothing"


class Logs:
    """
    What a running master writes to its error logs from now on.

    It reports errors in a text to its current log (its standard error is that file), and failures to open files or to
    bind ports to the log that the new text names.
    """

    def __init__(self, master: Process, new_text: str = "", prefix: str = "/") -> None:
        self._master = master
        named = parse.first(new_text, "error_log", "")
        paths = [f"/proc/{master.pid}/fd/2", *([os.path.join(prefix, named)] if named else [])]
        self._starts = {path: files.size(path) for path in paths if _is_plain(path)}
        if named and not os.path.exists(paths[-1]):
            self._starts[paths[-1]] = 0

    def reason(self) -> str:
        """Return why the master gave up, "" if it has not reported a reason yet."""
        return _joined(self._reasons())

    def is_final(self) -> bool:
        """Return whether the master has given up. It tries to bind a port five times, half a second apart."""
        reasons = self._reasons()
        return bool(reasons) and not reasons[-1].startswith("bind() to ")

    def _reasons(self) -> list[str]:
        plain = [(path, start) for path, start in self._starts.items() if _is_plain(path)]
        lines = dict.fromkeys(line for path, start in plain for line in files.tail(path, 50, start))
        return _emergencies(lines, str(self._master.pid))


def hint(complaint: str) -> str | None:
    """Return a hint for nginx's reason if zdd knows more than nginx; else None."""
    match = re.search(r"bind\(\) to \S*:([0-9]{1,5}) failed \(([0-9]{1,3}):", complaint)
    if not match or int(match[1]) > _HIGHEST_PORT:
        return None
    port, error = int(match[1]), int(match[2])
    if error == 13:  # EACCES
        return (
            f"only root may listen on port {port} (sysctl net.ipv4.ip_unprivileged_port_start says from which on not)"
        )
    if error != 98:  # EADDRINUSE
        return None
    if orphans := running.orphans({port}):
        pids = " ".join(str(worker.pid) for worker in orphans)
        return f"port {port} is still served by workers whose nginx master is gone: end them with `kill -QUIT {pids}`"
    pid = listener(port)
    if pid is None:
        return f"port {port} is taken by another user's process: `sudo ss -ltnp 'sport = :{port}'` shows which"
    return f"port {port} is taken by process {pid}: {process.title(pid)[:100]}"


def listener(port: int) -> int | None:
    """Return the lowest process that listens on the TCP port; None if none is visible (other users' are not)."""
    return holder({listening.inode for listening in sock_diag.listening_on(port)})


def holder(sockets: set[int]) -> int | None:
    """Return the lowest process that has one of these sockets (their inodes) open; None if none is visible."""
    pids = sorted(process.parents()) if sockets else []
    return next((pid for pid in pids if any(inode in sockets for inode, _ in sock_diag.socket_descriptors(pid))), None)


def _emergencies(lines: Iterable[str], pid: str | None = None) -> list[str]:
    """Return the text of each line of level emerg, of one process if `pid` is given."""
    matches = [match for line in lines if (match := re.fullmatch(_LINE, line.strip())) and match["level"] == "emerg"]
    return [match["reason"] for match in matches if pid in (None, match["pid"])]


def _joined(reasons: list[str]) -> str:
    """Return each reason once, without the summary that follows ports that could not be bound."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason != "still could not bind()"))


def _is_plain(path: str) -> bool:
    """Return whether this is a regular file that we may read, not a terminal, pipe or journal."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.R_OK)
    except OSError:
        return False
