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
import stat
from collections.abc import Iterator
from typing import Any

from zdd.errors import UsageError
from zdd.host import files, foreign, namespaces, proc, process, sock_diag
from zdd.host.clock import boot_id
from zdd.host.light import socket
from zdd.host.process import Process
from zdd.layout import Layout

_LONGEST = 16 << 20  # bytes of an environment: a process may let its own seem endless


def check_proc() -> None:
    """Raise UsageError if /proc does not show our own process numbers: no process would seem to run."""
    if proc.read("/proc/self/stat").split(b" ")[0] != str(os.getpid()).encode():
        raise UsageError(
            "/proc does not show this very process, so zdd cannot tell which instances run",
            hint="run it where /proc shows its own process numbers, such as after `mount -t proc proc /proc`",
        )


def is_stale(layout: Layout) -> bool:
    """Return whether R is left over from another boot: its boot id is not ours, and nothing in R runs."""
    return not _is_of_this_boot(layout) and find(layout) is None


def doubt(layout: Layout) -> str | None:
    """Return why R is kept or cleared if the boot id does not decide that; None if it does."""
    if _is_of_this_boot(layout) or not os.path.lexists(layout.current):
        return None
    recorded, ours = files.read_object(layout.owner).get("boot_id"), boot_id()
    life = find(layout)
    if recorded and ours:
        return f"{layout.runtime} was made under another boot id, but {life}: so it is kept" if life else None
    unknown = "/proc/sys/kernel/random/boot_id cannot be read here" if not ours else "its boot id was not known"
    known = f"{life}: so it is kept" if life else "nothing in it runs, as after a reboot"
    return f"it is unknown whether {layout.runtime} is of this boot ({unknown}), but {known}"


def _is_of_this_boot(layout: Layout) -> bool:
    """Return whether R is known to be of this boot or is new; False if that is unknown."""
    owner, ours = files.read_object(layout.owner), boot_id()
    return not owner or (bool(ours) and owner.get("boot_id") == ours)


def find(layout: Layout) -> str | None:
    """Return the first sign of life as a phrase; None proves that nothing runs."""
    for search in (_keepers, _listeners, _recorded, _nginx):
        for life in search(layout):
            return life
    return None


def _keepers(layout: Layout) -> Iterator[str]:
    for name in _names(layout.control, ".sock"):
        if _accepts(layout.control_socket(name)):
            yield f"the keeper of {name} answers"


def _listeners(layout: Layout) -> Iterator[str]:
    sockets = list(_sockets(layout.instances))
    try:
        listening = sock_diag.listening_files() if sockets else set()
    except OSError as error:
        yield f"the kernel does not say who listens ({error.strerror})"
        return
    for path in sockets:
        if sock_diag.file_of(path, follow_symlinks=False) in listening:
            yield f"somebody listens on {path}"


def _recorded(layout: Layout) -> Iterator[str]:
    kinds = ((".pids", layout.pids, ("keeper", "app")), (".classic", layout.classic_record, ("process", "stop")))
    for ending, path_of, roles in kinds:
        for name in _names(layout.control, ending):
            record = files.read_object(path_of(name))
            for role in roles:
                match record.get(role):
                    case [int(pid), int(start_time)] if 0 < pid <= foreign.HIGHEST_PID and _lives(
                        layout, name, Process(pid, start_time), record
                    ):
                        yield f"process {pid} of {name} runs"


def _nginx(layout: Layout) -> Iterator[str]:
    pid = files.read_number(layout.nginx_pid)
    title = process.title(pid) if pid else ""
    if title.startswith(process.NGINX_MASTERS) and f"-c {layout.nginx_conf}" in title:
        yield f"nginx, process {pid}, runs"


def _lives(layout: Layout, name: str, recorded: Process, record: dict[str, Any]) -> bool:
    pid = recorded.pid
    if not recorded.alive():
        return namespaces.is_hidden(pid)
    if layout.record(name) in process.title(pid):
        return True
    marks = {name, f"{layout.runtime}:{name}"}
    port = record.get("port")
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = set(file.read(_LONGEST).split(b"\0"))
        outputs = set(_open_files(pid))
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return False
    except OSError:
        return True
    if layout.log(name) in outputs or variables & {os.fsencode(f"ZDD_INSTANCE={mark}") for mark in marks}:
        return True
    tree = [pid, *process.descendants(pid)] if port else []
    return any(number == port for _, number in sock_diag.listeners(tree)) if tree else False


def _open_files(pid: int) -> Iterator[str]:
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile, and the process runs on
            yield os.readlink(f"/proc/{pid}/fd/{number}")


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
