"""Why an instance did not become healthy: the most likely causes, and where to look."""

from __future__ import annotations

import errno
import signal

from zdd.conf.kinds import SocketWay
from zdd.errors import ProgramFailed
from zdd.host import files, process, sock_diag
from zdd.instances import node

REBUILD = "if it has gone since, as with an upgrade of the system: `zddeploy deploy --rebuild` builds the release again"
"""What to do about a release that misses a program that it was built with."""

_SHOWN_LINES = 20
_WANTED = {
    "fd": "the socket it inherits as descriptor 3 ({fd} in run; LISTEN_FDS)",
    "unix": "{socket}",
    "tcp": "127.0.0.1 and the port in PORT, here %s",
}


class InstanceFailed(ProgramFailed):
    """An instance did not become healthy."""


def failed(service: str, words: str, log: str, hint: str | None = None) -> InstanceFailed:
    """Return what to raise, with the last lines that the app printed; zdd's own lines in the log are left out."""
    output = [line for line in files.tail(log, 2 * _SHOWN_LINES) if not line.startswith("zdd: ")]
    return InstanceFailed(f"{service}: {words}", output, log, hint=hint)


def why_ended(status: int) -> str | None:
    """Return the usual cause of an app ending with this status before it is healthy."""
    if status == -signal.SIGKILL:
        return "zdd did not kill it: when the kernel did, for lack of memory, `dmesg` or `journalctl -k` says so"
    if status == 0:
        return "run must keep the app in the foreground: no daemon mode, no & (what it left running was stopped)"
    return None


def why_never_ran(stage: str, error: int | None, program: str, path: str, user: str | None) -> str | None:
    """
    Return what to check when the user could not run this program; `path` is the PATH that was searched.

    `stage` and `error` (an errno) are what the keeper reports of a start that failed.
    """
    if error == errno.EACCES:
        reach = f"user {user} must be able to pass every folder on the way there" if user else ""
        executable = "" if stage == "folder" else "it must be executable (chmod +x)"
        return "; ".join(filter(None, [executable, reach])) or None
    if (stage, error) == ("run", errno.ENOENT) and program.startswith("~"):
        return "no shell runs it, so nothing replaces ~: write the whole path"
    if (stage, error) == ("run", errno.ENOENT) and "/" not in program:
        return f"it is in none of PATH's folders ({path}); one of the release is named with a /: .venv/bin/{program}"
    return None


def elsewhere(app: int, way: SocketWay, folder: str, port: int | None, taken: bool) -> str | None:
    """
    Say where the app or its children listen, None if that is where they should.

    `folder` is the instance's, with its UNIX socket. `taken` says that the app accepted our connection: an app can
    inherit the socket and ignore it.
    """
    pids = [app, *process.descendants(app)]
    paths, ports = sock_diag.listening_paths(pids), sock_diag.listeners(pids)
    wrong = [f"{host}:{number}" for host, number in ports if number != port or host not in sock_diag.AT_LOOPBACK]
    others = [path for path in paths if not path.startswith(f"{folder}/")]
    right = len(wrong) < len(ports) or len(others) < len(paths)
    hooked = node.has_hook(folder)
    if not right or hooked:
        wrong += others
    if right and (taken or not wrong):
        return None
    wanted = _WANTED[way].replace("%s", str(port))
    if hooked:
        wanted += "; its first listen on a port takes it, or on a path that run or env names"
    elif way == "fd" and any(process.title(pid).startswith("node ") for pid in pids):
        wanted += ', which runtime = "node" does for it'
    return f"the app listens {'on ' + ', '.join(wrong) if wrong else 'nowhere'}; it must serve on {wanted}"
