"""Where an app listens, for somebody who wonders why nobody answers where zdd asks."""

from __future__ import annotations

from zdd.conf.kinds import SocketWay
from zdd.host import process, sock_diag
from zdd.instances import node

_WANTED = {
    "fd": "the socket it inherits as descriptor 3 ({fd} in run; LISTEN_FDS)",
    "unix": "{socket}",
    "tcp": "127.0.0.1 and the port in PORT, here %s",
}
_REACH_LOOPBACK = ("127.0.0.1", "0.0.0.0", "::")


def elsewhere(app: int, way: SocketWay, folder: str, port: int | None, taken: bool) -> str | None:
    """
    Tell where the app, or what it has started, listens when that is not where it should; None when it is right.

    `folder` is the instance's, where its UNIX socket is. `taken` says that our connection was: an inherited socket is
    held also by an app that does not care for it.
    """
    pids = [app, *process.descendants(app)]
    paths, ports = sock_diag.listening_paths(pids), sock_diag.listeners(pids)
    wrong = [f"{address}:{number}" for address, number in ports if number != port or address not in _REACH_LOOPBACK]
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
