"""Where a project's files are: which S and R it has, and whether it may have them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable

from zdd import claims, living, usable
from zdd.claims import Claim
from zdd.conf.schema import Config
from zdd.errors import UsageError
from zdd.host import files, trees
from zdd.host.clock import boot_id
from zdd.instances.name import name_of
from zdd.layout import Layout

_RUN = "/run/zdd"
_LONGEST_SOCKET_PATH = 107  # sun_path holds 108 bytes with its closing zero (unix(7))
_HIGHEST_NUMBER = 99_999  # the highest instance number that fits into a socket's path


class Paths(Layout):
    """
    The paths of the project of a configuration, chosen, checked and made.

    S is `/var/lib/zdd/PROJECT` for root and `~/.local/state/zdd/PROJECT` for others, with the home from passwd instead
    of $HOME: CI, cron and sudo must all find the same folder. R is `/run/zdd/PROJECT` if we can use it, else S/run; the
    choice is recorded in S, so that it does not change while instances run.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        state = str(config.zdd.state_dir or default_state(config.project))
        runtime = str(config.zdd.runtime_dir or _recorded(state) or _choose(state, config.project))
        super().__init__(state, runtime, config.nginx.rendered)

    def check(self) -> None:
        """
        Raise UsageError if this project cannot use these paths; changes nothing.

        They may belong to another user or another configuration, another user may have deployed this one, they may be
        unreadable, a socket's path may be too long, or /proc may not show what runs.
        """
        living.check_proc()
        for folder in (self.state, self.runtime):
            claims.check_user(folder)
            usable.check_readable(folder)
        claims.check_conf(None if living.is_stale(self) else self._claim(), self.config.path, self.config.project)
        claims.check_others(self.config.path, self.config.project)
        self._check_length(self.config.services)

    def require(self, notice: Callable[[str], None]) -> None:
        """Raise what `check` raises; give notice if the configuration has moved here from a path that is gone."""
        self.check()
        if old := self.moved_from():
            name, path = self.config.project, self.config.path
            notice(f"project {name} was deployed as {old}, which is gone; {path} takes its place")

    def make_room(self) -> None:
        """
        Make S, R (which holds the lock) and their missing parents.

        Raises UsageError if that fails, or if R cannot be written.
        """
        usable.check_writable(self.runtime, "runtime_dir")
        self._make((folder, 0o755) for folder in self._above())
        self._make(((self.state, 0o755), (self.logs, 0o750), (self.runtime, 0o711)))

    def prepare(self) -> str | None:
        """
        Make missing folders and record their owner; the caller holds the lock.

        Removes from R what another boot left, if nothing of it runs. Returns a notice if the boot id does not decide
        that. Raises UsageError if a folder cannot be made.
        """
        self.make_room()
        notice = living.doubt(self)
        if living.is_stale(self):
            self.forget()
        self._make(((self.control, 0o700), (self.instances, 0o711), (self.tables, 0o711)))
        boot = boot_id() or files.read_object(self.owner).get("boot_id", "")  # a known one is worth more than none
        claim = claims.of(self.config.path, self._claim())
        files_of_owner: tuple[tuple[str, dict[str, object]], ...] = (
            (self.owner, {"uid": os.geteuid(), "boot_id": boot, "state": self.state}),
            (f"{self.state}/owner", {}),
        )
        name = self.config.project
        texts = {path: claims.encode(claim, project=name, **more) for path, more in files_of_owner}  # others may read
        if _recorded(self.state) != self.runtime:
            texts[f"{self.state}/runtime"] = self.runtime + "\n"
        for path, text in texts.items():
            if files.read(path, "replace") != text:
                usable.check_writable(self.state, "state_dir")
                files.write(path, text)
        return notice

    def _make(self, folders: Iterable[tuple[str, int]]) -> None:
        try:
            for folder, mode in folders:
                if folder in self._above() or not os.path.isdir(folder):
                    files.open_folder(folder, mode, never=0o022)  # an older zdd made it under the caller's umask
        except OSError as error:
            raise UsageError(
                f"cannot make {error.filename}: {error.strerror}",
                hint="set state_dir and runtime_dir in the [zdd] section to folders of yours",
            ) from error

    def _above(self) -> set[str]:
        """Return the parents of S and R that all projects of zdd share."""
        shared = {_RUN}
        with contextlib.suppress(UsageError):  # without a home, S and R are elsewhere
            shared.add(os.path.dirname(default_state(self.config.project)))
        return shared & {os.path.dirname(self.state), os.path.dirname(self.runtime)}

    def forget(self) -> None:
        """Remove instances and tables from R; the caller knows that none of them runs."""
        files.remove(self.current)
        for folder in (self.control, self.instances, self.tables):
            _remove_tree(folder)

    def remove(self) -> None:
        """Remove all of R, the held lock last: a command that waits for the lock then sees that it is gone."""
        self.forget()
        with contextlib.suppress(OSError):  # S may be read-only, and a choice without R means nothing
            files.remove(f"{self.state}/runtime")
        for path in (self.owner, self.lock):
            files.remove(path)
        _remove_tree(self.runtime)

    def moved_from(self) -> str | None:
        """Return the path by which this project was deployed, if that file no longer exists; else None."""
        claim = None if living.is_stale(self) else self._claim()
        moved = claim and not claim.is_of(self.config.path) and claim.is_void()
        return claim.conf if claim and moved else None

    def _claim(self) -> Claim | None:
        return claims.decode(files.read(self.owner, "replace"))

    def _check_length(self, services: Iterable[str]) -> None:
        for service in services:
            longest = self.app_socket(name_of(service, _HIGHEST_NUMBER))
            length = len(os.fsencode(longest))
            if length > _LONGEST_SOCKET_PATH:
                raise UsageError(
                    f"{longest} has {length} bytes; the path of a UNIX socket may have {_LONGEST_SOCKET_PATH}",
                    hint="set runtime_dir in the [zdd] section to a shorter folder",
                )


def default_state(project: str) -> str:
    """Return the default of S."""
    return claims.state_of(project, os.geteuid())


def _recorded(state: str) -> str | None:
    """Return the runtime folder chosen before, as long as it holds a table of a deploy."""
    recorded = (files.read(f"{state}/runtime") or "").strip()
    tables = f"{recorded}/tables"
    return recorded if recorded and os.path.isdir(tables) and os.listdir(tables) else None


def _choose(state: str, project: str) -> str:
    shared = f"{_RUN}/{project}"
    if os.path.isdir(shared):
        usable = os.stat(shared).st_uid == os.geteuid()
    else:
        parent = _RUN if os.path.isdir(_RUN) else "/run"
        usable = os.access(parent, os.W_OK | os.X_OK)
    return shared if usable else f"{state}/run"


def _remove_tree(folder: str) -> None:
    """Remove a folder as far as possible: files that an app left must not fail a command."""
    with contextlib.suppress(OSError):
        trees.remove(folder)
