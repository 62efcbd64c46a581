"""
The kernel's table of UNIX sockets as text, /proc/PID/net/unix (proc_pid_net(5)): it shows names, and other namespaces.

Any user can bind names, with line breaks too: a line may be the rest of a name, and has fewer fields then.
"""

from __future__ import annotations

from zdd.host import foreign, sock_diag

_LISTENS = "00010000"  # __SO_ACCEPTCON


def connections_by_name(path: str, pid: int) -> int:
    """
    Count the connections to the UNIX socket of this name in the network namespace of a process.

    The fallback for a namespace that sock_diag cannot ask. State 02: queued, 03: accepted.
    """
    name, count = path.encode(), 0
    try:
        with open(f"/proc/{pid}/net/unix", "rb") as table:
            for line in table:
                if line.endswith(b" " + name + b"\n"):
                    fields = line.split(None, 7)
                    count += len(fields) > 7 and fields[5] in (b"02", b"03")
    except OSError:
        return 0
    return count


def listening_paths(pids: list[int]) -> list[str]:
    """Return the UNIX sockets these processes listen on: names as they were bound, abstract ones with an "@"."""
    inodes = sock_diag.inodes_of(pids)
    with open("/proc/self/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        rows = [line.rstrip("\n").split(None, 7) for line in table][1:]
    return sorted(row[7] for row in rows if len(row) > 7 and row[3] == _LISTENS and foreign.number(row[6]) in inodes)
