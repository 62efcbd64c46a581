"""
Whether anything in a runtime folder still runs: required proof before the folder is cleared.

The boot id is only a hint: it cannot be read where a unit or a container hides it, and it differs in a container that
has its own id or was moved to another machine. So signs of life decide, and only those that are reliable in both
directions: present while the instance runs, wherever one looks from, and absent after a reboot that left all files.

- A process accepts connections on a keeper's control socket. The socket of a dead keeper refuses them.
- A process listens on a socket in an instance's folder. The kernel shows this by inode, even if the keeper has died.
- A process has the recorded number and start time, and one more mark of the instance: the keeper's record on its
  command line, the instance's name in its environment, its log as output, or its port. Number and time alone may match
  by chance after a reboot, since every boot begins alike.
- The master of the nginx that zdd starts runs with this project's configuration file.

A process or file that cannot be inspected counts as running.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from zdd.errors import UsageError
from zdd.host import files, process, sock_diag
from zdd.host.clock import boot_id
from zdd.host.process import Process


class Remains(NamedTuple):
    """Where to look: R, folders and files in R and S, and the configuration file of the project's own nginx."""

    runtime: str
    control: str
    instances: str
    logs: str
    owner: str
    current: str
    nginx_conf: str


def check_proc() -> None:
    """Raise UsageError if /proc does not show our own process numbers: no process would seem to run."""
    if process.read("/proc/self/stat").split(b" ")[0] != str(os.getpid()).encode():
        raise UsageError(
            "/proc does not show this very process, so zdd cannot tell which instances run",
            hint="run it where /proc shows its own process numbers, such as after `mount -t proc proc /proc`",
        )


def is_stale(remains: Remains) -> bool:
    """Return whether R is left over from another boot: its boot id is not ours, and nothing in R runs."""
    return not _is_of_this_boot(remains) and find(remains) is None


def doubt(remains: Remains) -> str | None:
    """Return why R is kept or cleared if the boot id does not decide that; None if it does."""
    if _is_of_this_boot(remains) or not os.path.lexists(remains.current):
        return None
    recorded, ours = files.read_object(remains.owner).get("boot_id"), boot_id()
    life = find(remains)
    if recorded and ours:
        return f"{remains.runtime} was made under another boot id, but {life}: so it is kept" if life else None
    unknown = "/proc/sys/kernel/random/boot_id cannot be read here" if not ours else "its boot id was not known"
    known = f"{life}: so it is kept" if life else "nothing in it runs, as after a reboot"
    return f"it is unknown whether {remains.runtime} is of this boot ({unknown}), but {known}"


def _is_of_this_boot(remains: Remains) -> bool:
    """Return whether R is known to be of this boot or is new; False if that is unknown."""
    owner, ours = files.read_object(remains.owner), boot_id()
    return not owner or (bool(ours) and owner.get("boot_id") == ours)


def find(remains: Remains) -> str | None:
    """Return the first sign of life as a phrase; None proves that nothing runs."""
    for search in (_keepers, _listeners, _recorded, _nginx):
        for life in search(remains):
            return life
    return None


def _keepers(remains: Remains) -> Iterator[str]:
    for name in _names(remains.control, ".sock"):
        if _accepts(f"{remains.control}/{name}.sock"):
            yield f"the keeper of {name} answers"


def _listeners(remains: Remains) -> Iterator[str]:
    sockets = list(_sockets(remains.instances))
    try:
        listening = sock_diag.listening_files() if sockets else set()
    except OSError as error:
        yield f"the kernel does not say who listens ({error.strerror})"
        return
    for path in sockets:
        if sock_diag.file_of(path, follow_symlinks=False) in listening:
            yield f"somebody listens on {path}"


def _recorded(remains: Remains) -> Iterator[str]:
    for ending, roles in ((".pids", ("keeper", "app")), (".classic", ("process", "stop"))):
        for name in _names(remains.control, ending):
            record = files.read_object(f"{remains.control}/{name}{ending}")
            for role in roles:
                match record.get(role):
                    case [int(pid), int(start_time)] if _lives(remains, name, Process(pid, start_time), record):
                        yield f"process {pid} of {name} runs"


def _nginx(remains: Remains) -> Iterator[str]:
    pid = files.read_number(f"{remains.runtime}/nginx.pid")
    title = process.title(pid) if pid else ""
    if title.startswith(process.NGINX_MASTER) and f"-c {remains.nginx_conf}" in title:
        yield f"nginx, process {pid}, runs"


def _lives(remains: Remains, name: str, recorded: Process, record: dict[str, Any]) -> bool:
    pid = recorded.pid
    if not recorded.alive():
        return _is_hidden(pid)
    if f"{remains.control}/{name}.json" in process.title(pid):
        return True
    marks = {name, f"{remains.runtime}:{name}"}
    port = record.get("port")
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = set(file.read().split(b"\0"))
        outputs = set(_open_files(pid))
    except FileNotFoundError:  # it has ended meanwhile
        return False
    except OSError:
        return True
    if f"{remains.logs}/{name}.log" in outputs or variables & {os.fsencode(f"ZDD_INSTANCE={mark}") for mark in marks}:
        return True
    tree = [pid, *process.descendants(pid)] if port else []
    return any(number == port for _, number in sock_diag.listeners(tree)) if tree else False


def _open_files(pid: int) -> Iterator[str]:
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile, and the process runs on
            yield os.readlink(f"/proc/{pid}/fd/{number}")


def _is_hidden(pid: int) -> bool:
    """Return whether a process with this number exists that /proc hides from us (hidepid, proc(5))."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process.stat_fields(pid) is None


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as peer:
        try:
            peer.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # its queue is full, or we lack permission: a process may listen
            return True
    return True


def _sockets(folder: str) -> Iterator[str]:
    """Yield every socket in a keeper's folder, without following links; the apps' own folders are left out."""
    for name in _names(folder, ""):
        for entry in [*_names(f"{folder}/{name}", ""), "sock/socket"]:  # the last one is of zdd 0.1
            path = f"{folder}/{name}/{entry}"
            try:
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    yield path
            except OSError:
                pass


def _names(folder: str, ending: str) -> list[str]:
    try:
        return sorted(name.removesuffix(ending) for name in os.listdir(folder) if name.endswith(ending))
    except (FileNotFoundError, NotADirectoryError):
        return []
