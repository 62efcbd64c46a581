"""The limits of the machine: connections, open files, memory, disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from zdd.checks import surroundings
from zdd.finding import Finding, error, fine, warning
from zdd.host import files
from zdd.operate.status import status
from zdd.project import Project

_QUEUE = 1024  # connections that wait while an app restarts
_FILES = 8192  # open files in zdd's own nginx
_MARGIN = 1.1  # for memory: a new version may be a little larger
_LEAST = 100 * 1024**2  # bytes of disk for logs and a small release
_LEAST_RUNTIME, _INODES = 256 * 1024, 64  # bytes and inodes for the sockets, records and table of one deploy


def limits(project: Project) -> Iterator[Finding]:
    """Check the kernel's limits: waiting connections, open files."""
    queue = files.read_number("/proc/sys/net/core/somaxconn")  # None where it is hidden (ProcSubset=pid)
    if queue is not None and queue < _QUEUE:
        yield warning(
            f"at most {queue} connections can wait for an app (net.core.somaxconn)",
            "while an app restarts, more than these are refused",
            f"sysctl -w net.core.somaxconn=4096, and the same in /etc/sysctl.d (zdd asks for {_QUEUE} or more)",
        )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= most < _FILES:
        yield warning(
            f"at most {most} files can be open in one process",
            "a connection is a file, and nginx has two of them for each request",
            f"raise the hard limit to {_FILES} (ulimit -Hn; nofile in /etc/security/limits.conf)",
        )
    open_files = "without a limit" if most < 0 else f"{most:,} a process"
    yield fine(f"room for requests that wait ({project.proxy.capacity()}) and for open files ({open_files})")


def memory(project: Project) -> Iterator[Finding]:
    """Compare the free memory with what a second version needs beside the first."""
    stop_first = {name for name, service in project.config.services.items() if service.order == "stop-first"}
    beside = [service for service in status(project).services if service.name not in stop_first]
    rows = [row for service in beside for row in service.instances if row.state == "serving"]
    free = available()
    if free is None:
        yield fine("memory for two versions: unknown, since /proc/meminfo cannot be read here")
    else:
        yield from for_two(sum(row.memory_bytes or 0 for row in rows), free)


def for_two(used: int, free: int) -> Iterator[Finding]:
    """Yield the finding for the bytes that one version uses and the bytes that are free."""
    if used * _MARGIN > free:
        yield warning(
            f"a second version needs about {_megabytes(used)}, and {_megabytes(free)} are free",
            "old and new run side by side for a while; the kernel kills one of them when memory ends",
            'fewer instances, or order = "stop-first"; or more memory',
        )
    elif used:
        yield fine(f"memory for two versions: one uses {_megabytes(used)}, {_megabytes(free)} are free")


def available() -> int | None:
    """Return the bytes of memory that are available without swapping (MemAvailable, proc_meminfo(5)), if known."""
    lines = (files.read("/proc/meminfo") or "").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def disk(project: Project) -> Iterator[Finding]:
    """Compare the free disk space with what one more release needs, and with what its sockets and tables need."""
    surroundings.require_folders(project)
    yield from _runtime(_existing(project.paths.runtime))
    folder = _existing(project.paths.state)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    current = project.releases.current() if project.releases else None
    size = _size(project.releases.path(current)) if project.releases and current else 0
    clean = f"make room on it; S/releases and S/logs are zdd's ({project.paths.state})"
    if disk.f_files and not disk.f_favail:
        yield error(f"{folder}: its file system has no inodes left", "no file can be created", clean)
    elif free < size:
        what = f"{folder}: {_megabytes(free)} are free, and the live release has {_megabytes(size)}"
        yield error(what, "the next release does not fit", clean)
    elif free < size + _LEAST:
        yield warning(f"{folder}: only {_megabytes(free)} are free", "logs and releases go there", clean)
    else:
        yield fine(f"{folder}: {_megabytes(free)} are free" + (f", a release has {_megabytes(size)}" if size else ""))


def _existing(folder: str) -> str:
    """Return the folder, or the nearest one above that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _runtime(folder: str) -> Iterator[Finding]:
    disk = os.statvfs(folder)
    few_inodes = disk.f_files and disk.f_favail < _INODES
    if few_inodes or disk.f_bavail * disk.f_frsize < _LEAST_RUNTIME:
        yield error(
            f"{folder}: its file system is full ({'inodes' if few_inodes else 'space'})",
            "sockets and routing tables go there, so no deploy can be prepared",
            "make room on it (`df -h`, `df -i`), or set runtime_dir in [zdd] to a folder elsewhere",
        )


def state(project: Project) -> Iterator[Finding]:
    """Yield the problems that `status` shows now."""
    for problem in status(project).problems:
        yield warning(problem, "`zddeploy status` shows more", "")


def _size(folder: str) -> int:
    return sum(os.lstat(f"{where}/{name}").st_size for where, _, names in os.walk(folder) for name in names)


def _megabytes(amount: float) -> str:
    return f"{amount / 1024**2:,.0f} MB"
