"""Why an instance did not become healthy: the most likely causes, and where to look."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Sequence

from zdd.conf.kinds import SocketWay
from zdd.errors import ProgramFailed
from zdd.host import interpreter, net_unix, proc, process, rotation, sock_diag
from zdd.instances import node

_REBUILD = (
    "if it has gone since, as with an upgrade of the system: `zddeploy deploy --rebuild` builds the release again"
)
END_IT = "end it; `ss -ltnp` shows who listens where"
"""What to do about another program on the app's port."""
_SEARCHED = 1000  # lines of a log
_OTHER_WAYS = 'socket = "unix" and {socket} in run, or socket = "tcp" and {port}'
_CLOSED = f"descriptor 3 was closed by its launcher: {_OTHER_WAYS}"
_DAEMON = "run must keep the app in the foreground: no daemon mode, no & (what it left running was stopped)"
# What usually fixes what a log says. Two versions of an app run at the same time while one replaces the other.
_ADVICE = (
    (r"\\r['\u2019]", f"the script's lines end as on Windows: {interpreter.WINDOWS}"),
    (
        r"already running on pid|\bpid ?file\b|a server is already running",
        "the version before runs while this one starts: each needs a pid file of its own ({instance} in run), or none",
    ),
    (
        r"address already in use|eaddrinuse|is port \d+ in use|port \d+ (?:was|is) already in use",
        "another program has the port, or the version before, which runs while this one starts: no port may be fixed: "
        "the app must serve on %s",
    ),
    (
        r"database is locked|already locked|locked by another|could not (?:get|obtain) .*lock|may be already in use",
        'the version before runs while this one starts; order = "stop-first" avoids that',
    ),
)
_WORDS_OF_SHELLS = (".", "cd", "eval", "exec", "export", "set", "source", "ulimit", "umask")
_LOST_SOCKET = r"(?i)bad file descriptor|\bebadf\b|non-socket|\benotsock\b|not a socket|listen einval"
_WANTED = {
    "fd": "the socket it inherits as descriptor 3 ({fd} in run; LISTEN_FDS)",
    "unix": "{socket}",
    "tcp": "127.0.0.1 and the port in PORT, here %s",
}


class InstanceFailed(ProgramFailed):
    """An instance did not become healthy; `why` is the cause that its log names, `times` how often."""

    why: str | None = None
    times = 0


def failed(
    service: str, words: str, log: str, hint: str | None = None, ended: int | None = None, way: SocketWay = "none"
) -> InstanceFailed:
    """
    Return what to raise: the words, what the log says about the cause, and the last lines that the app printed.

    `ended` is the exit status of an app that has ended: then the log has the cause, even if nothing there is sure.
    """
    from zdd import cause  # here, because most deploys succeed

    output = [line for line in rotation.tail(log, _SEARCHED) if not line.startswith("zdd: ")]
    sure = cause.find(output)
    why = sure or (None if ended is None else cause.guess(output))
    if ended is not None:
        hint = join(advice(sure or "", way) or (None if sure and ended == 0 else why_ended(ended)), hint)
    error = InstanceFailed(f"{service}: {words}" + (f"; its log says: {why}" if why else ""), output, log, hint=hint)
    error.why, error.times = why, cause.times(output)
    return error


def advice(why: str, way: SocketWay) -> str | None:
    """Return what usually fixes what the log says."""
    if way == "fd" and re.search(_LOST_SOCKET, why):
        return _CLOSED
    for pattern, words in _ADVICE:
        if re.search(pattern, why, re.IGNORECASE):
            return words.replace("%s", _WANTED.get(way, "what zdd gives it").replace("%s", "given there"))
    return None


def join(*hints: str | None) -> str | None:
    """Return the hints that there are, one below the other."""
    return "\n  ".join(filter(None, hints)) or None


def why_ended(status: int) -> str | None:
    """Return the usual cause of an app ending with this status before it is healthy."""
    if status == -signal.SIGKILL:
        return "zdd did not kill it: when the kernel did, for lack of memory, `dmesg` or `journalctl -k` says so"
    if status == 0:
        return _DAEMON
    return None


def rebuild(lacks: str) -> str | None:
    """Return what brings back the file that a program of a release lacks; None where each build lacks it."""
    return None if lacks.endswith(interpreter.WINDOWS) else _REBUILD


def why_never_ran(stage: str, error: int | None, program: str, cwd: str, path: str, user: str | None) -> str | None:
    """
    Return what to check when the user could not run this program in `cwd`; `path` is the PATH that was searched.

    `stage` and `error` (an errno) are what the keeper reports of a start that failed.
    """
    if stage == "folder" and error in (errno.ENOENT, errno.ENOTDIR):
        return "cwd must name a folder of the code, or a whole path"
    if (stage, error) == ("run", errno.ENOEXEC):
        return (
            "it is no program of this machine's kind; the first line of a script says what runs it, such as #!/bin/sh"
        )
    if (stage, error) == ("run", errno.EACCES) and os.path.isdir(os.path.join(cwd, program)):
        return "it is a folder: run must begin with a program"
    if error == errno.EACCES:
        reach = f"user {user} must be able to pass every folder on the way there" if user else ""
        executable = "" if stage == "folder" else "it must be executable (chmod +x)"
        return "; ".join(filter(None, [executable, reach])) or None
    if (stage, error) == ("run", errno.ENOENT) and program.startswith("~"):
        return "no shell runs it, so nothing replaces ~: write the whole path"
    if (stage, error) == ("run", errno.ENOENT) and (program in _WORDS_OF_SHELLS or "=" in program.partition("/")[0]):
        return "that is for a shell, and none runs it: begin with the program; cwd and env are keys; or sh -c '...'"
    if (stage, error) == ("run", errno.ENOENT) and "/" not in program:
        return f"it is in none of PATH's folders ({path}); one of the release is named with a /: .venv/bin/{program}"
    if (stage, error) == ("run", errno.ENOENT):
        return "the code must have it, or `build` make it" + (
            "" if program.startswith("/") else f"; it is run in {cwd}"
        )
    return None


def elsewhere(app: int, way: SocketWay, folder: str, port: int | None, taken: bool) -> str | None:
    """
    Say where the app or its children listen, None if that is where they should.

    `folder` is the instance's, with its UNIX socket. `taken` says that the app accepted our connection: an app can
    inherit the socket and ignore it.
    """
    if process.Process.find(app) is None:  # it has just ended
        return None
    pids = [app, *process.descendants(app)]
    paths, ports = net_unix.listening_paths(pids), sock_diag.listeners(pids)
    wrong = [f"{host}:{number}" for host, number in ports if number != port or host not in sock_diag.AT_LOOPBACK]
    others = [path for path in paths if not path.startswith(f"{folder}/")]
    right = len(wrong) < len(ports) or len(others) < len(paths)
    hooked = node.has_hook(folder)
    if not right or hooked:
        wrong += others
    if right and (taken or not wrong):
        lost = way == "fd" and not taken and len(pids) > 1 and not hooked and _is_closed(pids, folder)
        return f"if it only starts slowly, raise start_timeout; else {_CLOSED}" if lost else None
    wanted = _WANTED[way].replace("%s", str(port))
    if way == "fd" and (name := next(filter(None, map(_takes_no_descriptor, pids)), None)):
        wanted += f", which {name} cannot: {_OTHER_WAYS}"
    elif hooked:
        wanted += "; its first listen on a port takes it, or on a path that run or env names"
    elif way == "fd" and any(process.title(pid).startswith("node ") for pid in pids):
        wanted += ', which runtime = "node" does for it'
    elif way == "fd":
        wanted += f"; {_CLOSED if _is_closed(pids, folder) else f'where it cannot, {_OTHER_WAYS}'}"
    return f"the app listens {'on ' + ', '.join(wrong) if wrong else 'nowhere'}; it must serve on {wanted}"


def _takes_no_descriptor(pid: int) -> str | None:
    """Return the name of the process's runtime if its servers cannot take an inherited descriptor."""
    return {b"bun": "Bun", b"deno": "Deno"}.get(proc.read(f"/proc/{pid}/comm").strip())


def _is_closed(pids: Sequence[int], folder: str) -> bool:
    """Return whether no process that its launcher has started, or none at all, still has the inherited socket."""
    inodes = sock_diag.listening_at(sock_diag.file_of(f"{folder}/keep"))
    started = pids[1:] or pids
    return bool(inodes) and not any(
        process.hides_descriptors(pid) or any(inode in inodes for inode, _ in sock_diag.socket_descriptors(pid))
        for pid in started
    )
