"""The errors that nginx reports: on its standard error, or in the logs of a running master."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable

from zdd.host import files
from zdd.host.process import Process
from zdd.nginx.config import parse

_LINE = re.compile(r"(?:nginx: |\S+ \S+ )?\[(?P<level>\w+)\] (?:(?P<pid>\d+)#\d+: )?(?P<reason>.*)")


def in_output(output: str) -> str:
    """Return nginx's reason in one line, or all its output if it gave no reason."""
    return _joined(_emergencies(output.splitlines())) or " ".join(output.split()) or "it said nothing"


class Logs:
    """
    What a running master writes to its error logs from now on.

    It reports errors in a text to its current log (its standard error is that file), and failures to open files or to
    bind ports to the log that the new text names.
    """

    def __init__(self, master: Process, new_text: str, prefix: str) -> None:
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


def _emergencies(lines: Iterable[str], pid: str | None = None) -> list[str]:
    """Return the text of each line of level emerg, of one process if `pid` is given."""
    matches = [match for line in lines if (match := _LINE.fullmatch(line.strip())) and match["level"] == "emerg"]
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
