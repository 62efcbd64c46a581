"""The folders S/releases/ID: which are complete, which one is live, and removing them."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Collection

from zdd.errors import of_system
from zdd.host import files, process
from zdd.paths import Paths
from zdd.release import work

_ID = re.compile(r"([0-9a-f]{12}|[0-9]{8}-[0-9]{6})(-[0-9]+)?")  # of a commit; of a moment; the next of that name


class Shelf:
    """
    All releases of a project. Whoever changes something holds the project's lock.

    A release is complete when S/releases/ID.complete is there, written last and removed first: the folder's content
    stays the user's. The newest is what was built, or made current, last. `notice` is told what a person should know.
    """

    def __init__(self, paths: Paths, notice: Callable[[str], None]) -> None:
        self.folder = paths.releases
        self.link = f"{paths.state}/current"
        self.notice = notice

    def path(self, release: str) -> str:
        """Return the folder of a release, whether it is there or not."""
        return f"{self.folder}/{release}"

    def marker(self, release: str) -> str:
        """Return the file that says that a release is complete, and of what it was built."""
        return f"{self.folder}/{release}.complete"

    def is_complete(self, release: str) -> bool:
        """Return whether there is such a release, completely built."""
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
        """Have S/current lead to a complete release, by rename(2); it counts as the newest from now on."""
        self.make_newest(release)
        files.point(self.link, f"releases/{release}")

    def make_newest(self, release: str) -> None:
        """Have a complete release count as the newest."""
        now = time.time_ns()  # the kernel's own "now" is some milliseconds old: two releases could be equally new
        os.utime(self.marker(release), ns=(now, now))

    def is_used(self, release: str) -> bool:
        """Return whether a release is current or something runs that was started with it, its own building aside."""
        if release == self.current():
            return True
        started = map(process.environment, process.with_environment("ZDD_RELEASE_PATH", self.path(release)))
        return any(env and work.MARK not in env for env in started)

    def discard_half_built(self, keep: Collection[str] = ()) -> list[str]:
        """
        Remove what a crash left of building or removing, and end what still builds; returns the releases removed.

        A release that is in use or in `keep` is spared, whatever became of its marker.
        """
        for name in self._names():
            if ".complete." in name:
                files.remove(f"{self.folder}/{name}")  # a marker that was being written
        half = [name for name in self._names() if _ID.fullmatch(name) and not self.is_complete(name)]
        return self.discard([name for name in half if name not in keep and not self.is_used(name)])

    def discard(self, releases: list[str]) -> list[str]:
        """Remove releases and what still builds them; returns those removed, and tells `notice` of the others."""
        removed = []
        for release in releases:
            try:
                self.remove(release)
                removed.append(release)
            except OSError as error:
                self.notice(f"cannot remove release {release}: {of_system(error)}; the next deploy tries again")
        return removed

    def remove(self, release: str) -> None:
        """Remove a release, or what there is of it, and what still builds it. Raises OSError, with half of it left."""
        files.remove(self.marker(release))  # first: half of a release is none
        for is_last in (False, False, True):
            work.end(self.path(release))
            try:
                files.remove_tree(self.path(release))
                break
            except OSError as error:
                # A program that was just being started when zddeploy was killed is not found until it runs.
                if is_last or error.errno != errno.ENOTEMPTY:
                    raise

    def _names(self) -> list[str]:
        return sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []
