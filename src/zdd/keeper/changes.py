"""
Changes in the instance's folder and in the app's own: the kernel tells at once (F_NOTIFY, fcntl(2); "dnotify").

So a quiet keeper looks seldom, and a name that is gone or new is noticed in milliseconds. inotify(7) would do the same,
but a user has 128 instances of it on most machines (fs.inotify.max_user_instances), and a thousand keepers would take
them from everything else. This takes a descriptor for each folder and SIGIO, which arrives once, however much happens.
"""

from __future__ import annotations

import fcntl
import os

from zdd.host.light import signal
from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.part import Shared

_AT_MOST_EVERY = 1.0  # seconds between looks, as without help: an app may change its folder all the time
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMES = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_ATTRIB
_FILES = _NAMES | fcntl.DN_MODIFY


class Changes(Part):
    """
    Watches the folders for the next change; then calls `looks`, which look for what it was, and goes on watching.

    `listener.is_watched` says whether it does: not where the kernel cannot, or while a folder is missing.
    """

    def __init__(self, shared: Shared, folders: Callable[[], list[str]], looks: list[Callable[[], object]]) -> None:
        super().__init__(shared)
        self._folders, self._looks = folders, looks
        self._watched: list[int] = []
        self._last = 0.0

    def begin(self) -> None:
        """Watch from now on, if there is a handler of SIGIO, which would end the process otherwise."""
        for number in self._watched:
            os.close(number)
        self._watched.clear()
        folders = self._folders()
        try:
            if folders and signal.getsignal(signal.SIGIO) is not signal.SIG_DFL:
                self._watch(self.record.folder, _NAMES)
                for folder in folders:
                    self._watch(folder, _FILES)
            self.listener.is_watched = bool(self._watched)
        except OSError:
            self.listener.is_watched = False

    def noticed(self) -> None:
        """Look for what the kernel has just reported: at once, or a second after the last look."""
        self.deadlines.at(max(0.0, self._last + _AT_MOST_EVERY - self.deadlines.now()), self._look)

    def _watch(self, folder: str, events: int) -> None:
        self._watched.append(os.open(folder, _FOLDER))
        fcntl.fcntl(self._watched[-1], fcntl.F_NOTIFY, events)

    def _look(self) -> None:
        """Watch first, then look, so that no change in between is missed. Watch again what a look has created."""
        self._last = self.deadlines.now()
        self.begin()
        for look in self._looks:
            look()
        if not self.listener.is_watched:
            self.begin()
