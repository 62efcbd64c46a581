"""The folders S/releases/ID: which are complete, which one is current, and their removal."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Collection

from zdd.errors import of_system
from zdd.host import files, process, trees
from zdd.paths import Paths
from zdd.release import work

_ID = re.compile(r"([0-9a-f]{12}|[0-9]{8}-[0-9]{6})(-[0-9]+)?")  # a commit or a time; a second one: -2


def number_of(release: str) -> int:
    """
    Return which release of its name it is: 1 for the first, which has no number; 0 for what is no release's id.

    >>> number_of("20261129-134340"), number_of("20261129-134340-2"), number_of("lost+found")
    (1, 2, 0)
    """
    match = _ID.fullmatch(release)
    return 0 if match is None else int((match[2] or "-1")[1:])


def numbered(name: str, number: int) -> str:
    """Return the id of the release of this number, of those with this name."""
    return name if number == 1 else f"{name}-{number}"


class Shelf:
    """
    All releases of a project. Callers that change them hold the project's lock.

    A release is complete if S/releases/ID.complete exists, which is written last and removed first: so the folder
    contains only the user's files. The newest release was built or made current last. `notice` gets messages for a
    person.
    """

    def __init__(self, paths: Paths, notice: Callable[[str], None]) -> None:
        self.folder = paths.releases
        self.link = paths.release
        self.notice = notice

    def path(self, release: str) -> str:
        """Return the folder of a release, which may not exist."""
        return f"{self.folder}/{release}"

    def marker(self, release: str) -> str:
        """Return the marker of a complete release; it records what the release was built from."""
        return f"{self.folder}/{release}.complete"

    def is_complete(self, release: str) -> bool:
        """Return whether the release exists and is complete."""
        known = _ID.fullmatch(release) and os.path.exists(self.marker(release))
        return bool(known) and os.path.isdir(self.path(release))

    def ids(self) -> list[str]:
        """Return the complete releases, newest first."""
        complete = [name for name in self._names() if self.is_complete(name)]
        return sorted(complete, key=lambda name: os.stat(self.marker(name)).st_mtime_ns, reverse=True)

    def current(self) -> str | None:
        """Return the release that S/current leads to."""
        return os.path.basename(os.readlink(self.link)) if os.path.islink(self.link) else None

    def make_current(self, release: str) -> None:
        """Point S/current to a complete release by rename(2), and make it the newest."""
        self.make_newest(release)
        files.point(self.link, f"releases/{release}")

    def make_newest(self, release: str) -> None:
        """Make a complete release the newest, even if the clock was set back since another one was."""
        others = [os.stat(self.marker(name)).st_mtime_ns for name in self.ids() if name != release]
        # The kernel's own "now" lags some milliseconds: two releases could have the same time.
        now = max([time.time_ns(), *(moment + 1 for moment in others)])
        os.utime(self.marker(release), ns=(now, now))

    def is_used(self, release: str) -> bool:
        """Return whether a release is current, or a process other than its build was started with it."""
        if release == self.current():
            return True
        started = map(process.environment, process.with_environment("ZDD_RELEASE_PATH", self.path(release)))
        return any(env and work.MARK not in env for env in started)

    def discard_half_built(self, keep: Collection[str] = ()) -> list[str]:
        """
        Remove releases that a crash left half built or half removed; return them. Ends their builds first.

        A release that is in use or in `keep` stays, even without a marker.
        """
        for name in self._names():
            if ".complete." in name:
                files.remove(f"{self.folder}/{name}")  # a partly written marker
        half = [name for name in self._names() if _ID.fullmatch(name) and not self.is_complete(name)]
        return self.discard([name for name in half if name not in keep and not self.is_used(name)])

    def discard(self, releases: list[str]) -> list[str]:
        """Remove releases after ending their builds; return those removed, and report the others to `notice`."""
        removed = []
        for release in releases:
            try:
                self.remove(release)
                removed.append(release)
            except OSError as error:
                self.notice(f"cannot remove release {release}: {of_system(error)}; the next deploy tries again")
        return removed

    def remove(self, release: str) -> None:
        """Remove a release, complete or not, after ending its build. Raises OSError; then a part of it is left."""
        files.remove(self.marker(release))  # first: a release without it is not complete
        for is_last in (False, False, True):
            work.end(self.path(release))
            try:
                trees.remove(self.path(release))
                break
            except OSError as error:
                # A program that was starting when zddeploy was killed is found only once it runs.
                if is_last or error.errno != errno.ENOTEMPTY:
                    raise

    def _names(self) -> list[str]:
        return sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []
