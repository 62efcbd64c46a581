"""
The folder of a static service in a release, which nginx serves: what it must have, and the times of its files.

nginx makes ETag and Last-Modified of a file's time, in whole seconds, and size. Two releases whose files have the same
time and size would make it answer 304 to a browser that has other bytes (half of all 304s in a test). So each content
has a time of its own: a file keeps the time that its content had in the release before, and a new content gets a second
that no content had before. The seconds are the latest that have passed, as long as a release has fewer new files than
seconds have passed since the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from zdd.errors import DeployFailed, shorten
from zdd.host import files, reach
from zdd.nginx import users as nginx_users
from zdd.release.disk import own_copy

INDEX = "index.html"

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SHOWN = 3  # names in a message
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"  # how a file of gzip begins


class Entry(NamedTuple):
    """A file or link in the folder: `path` inside it, and its name in the folder that `parent` is open for."""

    path: str
    name: str
    parent: int
    status: os.stat_result


def require(service: str, release: str, folder: str, users: Collection[int] = ()) -> None:
    """Raise DeployFailed unless the folder is in the release, has an index.html, and these users may read that."""
    real = os.path.realpath(f"{release}/{folder}")
    if not os.path.isdir(real):
        raise DeployFailed(
            f"{service}: the release has no folder {folder}",
            hint=f'the build commands must make it; or static in [service.{service}] is wrong (static = "{folder}")',
        )
    if not is_inside(release, folder):
        hint = "nginx serves a folder of the release itself: only that is switched and kept as a whole"
        raise DeployFailed(f"{service}: {release}/{folder} leads out of the release, to {real}", hint=hint)
    if not os.path.isfile(f"{real}/{INDEX}"):
        raise DeployFailed(
            f"{service}: {folder} of the release has no {INDEX}",
            hint="the build commands must make it; or static names another folder than they write to",
        )
    _require_readable(service, real, users)


def is_inside(release: str, folder: str) -> bool:
    """Return whether a folder of this name is there, and in the release even if the name is a link."""
    real = os.path.realpath(f"{release}/{folder}")
    return os.path.isdir(real) and f"{real}/".startswith(f"{os.path.realpath(release)}/")


def _require_readable(service: str, real: str, users: Collection[int]) -> None:
    if closed := nginx_users.first_unsearchable_folder(real, list(users)):
        place, user = closed
        raise DeployFailed(
            f"{service}: nginx's workers (user {user}) cannot pass {place} on the way to its files",
            hint=f"`setfacl -m u:{user}:x {place}`, or `chmod o+x {place}`; then run zddeploy again",
        )
    for uid in users:
        if not reach.may_read(f"{real}/{INDEX}", *nginx_users.identity(uid)):
            mode = os.stat(f"{real}/{INDEX}").st_mode & 0o777
            raise DeployFailed(
                f"{service}: nginx's workers (user {nginx_users.name(uid)}) cannot read {INDEX} (mode {mode:o})",
                hint="`chmod -R a+rX` what visitors may see, in the source or as a build command",
            )


class Times:
    """
    The seconds that contents have been given, in the file S/static.times.

    `stamped` are the folders whose files have such times, as RELEASE/FOLDER: those of others are not compared with.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        known = files.read_object(path)
        last, stamped = known.get("last"), known.get("stamped")
        self.last = last if isinstance(last, int) else 0
        self.stamped = [str(folder) for folder in stamped] if isinstance(stamped, list) else []

    def take(self, count: int) -> range:
        """Return this many seconds that were never taken; on disk before any file has them."""
        first = max(self.last + 1, int(time.time()) - count + 1)
        self.last = first + count - 1
        self._write()
        return range(first, first + count)

    def note(self, release: str, folders: Iterable[str], existing: Collection[str]) -> None:
        """Record that these folders of the release have such times; forget releases that do not exist any more."""
        others = [name for name in self.stamped if name.partition("/")[0] in {*existing} - {release}]
        self.stamped = others + [f"{release}/{folder}" for folder in folders]
        self._write()

    def _write(self) -> None:
        files.write(self.path, json.dumps({"last": self.last, "stamped": self.stamped}), mode=0o600, sync=True)


def give_times(folder: str, before: str | None, times: Times, interrupt: Callable[[], None]) -> None:
    """Give each file in the folder its time; `before` is the same folder of a release whose files have theirs."""
    contents: dict[str, tuple[bytes, int | None]] = {}
    for entry in _entries(folder):
        interrupt()
        if stat.S_ISREG(entry.status.st_mode):
            digest = _digest(entry.name, entry.parent, interrupt)
            old = _time_before(f"{before}/{entry.path}", entry.status.st_size, digest, interrupt) if before else None
            contents[entry.path] = digest, old
    kept = {digest: second for digest, second in contents.values() if second is not None}
    new = sorted({digest for digest, _ in contents.values()} - kept.keys())
    seconds = kept | dict(zip(new, times.take(len(new)), strict=True))
    for entry in _entries(folder):
        if entry.path in contents and stat.S_ISREG(entry.status.st_mode):
            if entry.status.st_nlink > 1:  # another name of it, perhaps in a cache of the build, has its own time
                own_copy(entry.name, entry.parent)
            when = seconds[contents[entry.path][0]] * 10**9
            os.utime(entry.name, ns=(when, when), dir_fd=entry.parent, follow_symlinks=False)


def latest_second(folder: str) -> int:
    """Return the latest second of a file in the folder, 0 if there is none; of those that have passed."""
    now = int(time.time())
    seconds = (int(entry.status.st_mtime) for entry in _entries(folder) if stat.S_ISREG(entry.status.st_mode))
    return max((second for second in seconds if second <= now), default=0)


def settle_links(folder: str, shared: str) -> str | None:
    """
    Remove links that lead out of the folder, but those to the files that all releases share; return a notice of it.

    nginx itself follows a link if both ends have one owner, so one in root's release could show any file of root's. For
    the same reason root gives the links that stay the owner of what they lead to, as uploads that are the app's user's.
    """
    top, removed = os.path.realpath(folder), []
    for entry in _entries(folder):
        if stat.S_ISLNK(entry.status.st_mode):
            real = os.path.realpath(f"{top}/{entry.path}")
            if real.startswith((f"{top}/", f"{os.path.realpath(shared)}/")):
                _own_alike(entry, real)
            else:
                os.unlink(entry.name, dir_fd=entry.parent)
                removed.append(entry.path)
    if not removed:
        return None
    leads = "leads" if len(removed) == 1 else "lead"
    return f"{shorten(removed, _SHOWN)} in {os.path.basename(folder)} {leads} out of it, so nginx does not serve that"


def _own_alike(link: Entry, target: str) -> None:
    if os.geteuid() == 0 and os.path.exists(target) and (owner := os.stat(target).st_uid) != link.status.st_uid:
        os.chown(link.name, owner, -1, dir_fd=link.parent, follow_symlinks=False)


def closed(folder: str) -> list[str]:
    """Return the files that not everyone may read, and the folders, with a slash at the end, that not all may pass."""
    top = os.path.realpath(folder)
    entries = (entry for entry in _entries(top) if stat.S_ISREG(entry.status.st_mode))
    paths = [entry.path for entry in entries if not entry.status.st_mode & stat.S_IROTH]
    for where, _, _, parent in os.fwalk(top):
        if where != top and not os.fstat(parent).st_mode & stat.S_IXOTH:
            paths.append(f"{where[len(top) + 1 :]}/")
    return sorted(paths)


def other_contents(folder: str) -> list[str]:
    """Return the files x.gz, which nginx sends in the place of x, that are not x compressed by gzip."""
    gzips = (entry for entry in _entries(folder) if entry.name.endswith(".gz") and stat.S_ISREG(entry.status.st_mode))
    return sorted(entry.path for entry in gzips if _is_other(entry.name, entry.parent))


def _is_other(name: str, parent: int) -> bool:
    """Return whether a file of gzip ends with another checksum or size than the file beside it has (RFC 1952)."""
    try:
        with (
            open(os.open(name, _READ, dir_fd=parent), "rb") as packed,
            open(os.open(name.removesuffix(".gz"), _READ, dir_fd=parent), "rb") as plain,
        ):
            size = os.fstat(plain.fileno()).st_size
            begin, end = packed.read(2), os.pread(packed.fileno(), 8, max(0, os.fstat(packed.fileno()).st_size - 8))
            if not stat.S_ISREG(os.fstat(plain.fileno()).st_mode):
                return False
            if begin != _GZIP or end[4:] != (size & 0xFFFFFFFF).to_bytes(4, "little"):
                return True
            checksum = 0
            while chunk := plain.read(_CHUNK):
                checksum = zlib.crc32(chunk, checksum)
    except OSError:  # there is no such file, or it is a link
        return False
    return end[:4] != checksum.to_bytes(4, "little")


def _entries(folder: str) -> Iterator[Entry]:
    """Yield what is in the folder and below; no link is followed, whatever is renamed meanwhile."""
    top = os.path.realpath(folder)
    for where, folders, names, parent in os.fwalk(top):
        folders.sort()
        for name in sorted(names + folders):
            status = os.lstat(name, dir_fd=parent)
            if not stat.S_ISDIR(status.st_mode):
                yield Entry(f"{where}/{name}"[len(top) + 1 :], name, parent, status)


def _time_before(path: str, size: int, digest: bytes, interrupt: Callable[[], None]) -> int | None:
    """Return the time of the file at this path, None if it has another content or there is none."""
    try:
        status = os.lstat(path)
        is_like = stat.S_ISREG(status.st_mode) and status.st_size == size
        is_same = is_like and _digest(path, None, interrupt) == digest
    except OSError:
        return None
    return int(status.st_mtime) if is_same else None


def _digest(path: str, parent: int | None, interrupt: Callable[[], None]) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    with open(os.open(path, _READ, dir_fd=parent), "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            interrupt()
    return digest.digest()
