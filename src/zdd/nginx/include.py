"""An nginx that somebody else runs: zdd writes the upstreams that it includes, and has it reloaded when they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from zdd.host import files, process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.config import upstream
from zdd.nginx.errors import ProxyError, unwritable
from zdd.nginx.process import running
from zdd.nginx.process.binary import Binary, Version, find
from zdd.nginx.process.nginx import Change

PID_FILE = "/run/nginx.pid"  # where distributions have it

_TIMEOUT = 60.0  # seconds for one command
_POLL = 0.02


def render(project: str, upstreams: Mapping[str, Sequence[str]], version: Version) -> str:
    """Return the text: an upstream for each service, to be named in the user's own server blocks."""
    blocks = [upstream.block(name, targets, version) for name, targets in sorted(upstreams.items())]
    return f"# Written by zddeploy for {project}; what is changed here is lost.\n" + "\n".join(blocks)


class Include:
    """
    The file `path`, and the user's commands that have nginx test and read it; they are run when its text changes only.

    `configured` is the nginx program, where it cannot be found by itself. It is never started, never stopped.
    """

    def __init__(
        self,
        path: str,
        reload: str,
        test: str | None,
        pid_file: str,
        commands: Commands,
        clock: Clock,
        configured: str | None = None,
        patience: float = 10.0,
    ) -> None:
        self.path = path
        self.reload = reload
        self.test = test
        self.pid_file = pid_file
        self.patience = patience
        self._place = ConfFile(path)
        self._commands = commands
        self._clock = clock
        self._configured = configured

    @cached_property
    def binary(self) -> Binary:
        """The nginx program, asked for its version. Raises UsageError when there is none."""
        return find(self._configured, self.master(), self._commands)

    def text(self) -> str | None:
        """Return the text in place, None when there is none."""
        return self._place.text()

    def runs(self, text: str) -> bool:
        """Tell whether nginx has been had to read this text, so that there is nothing to do."""
        return text == self.text() and self._place.is_trusted()

    def serves(self) -> bool:
        """Tell whether there is an nginx that answers."""
        return self.master() is not None

    def master(self) -> Process | None:
        """Return the master that the pid file names, or else the only one there is; None when that cannot be told."""
        pid = files.read_number(self.pid_file)
        named = Process.find(pid) if pid else None
        if named and running.is_master(named.pid):
            return named
        masters = [found for pid in process.parents() if running.is_master(pid) and (found := Process.find(pid))]
        return masters[0] if len(masters) == 1 else None

    def workers(self, shutting_down: bool = False) -> list[Process]:
        """Return the workers that take new requests; or all, those too that only finish what they have."""
        master = self.master()
        return running.workers(master, shutting_down) if master else []

    def apply(self, text: str) -> Change:
        """
        Have nginx run this text: put it in place, test it, reload; nothing where that has been done already.

        Raises ProxyError when a command fails or nginx does not follow; then the text of before is in place again.
        """
        before = self.text()
        if self.runs(text):
            return Change(False, False, before)
        old_workers = self.workers()
        self._put(text)
        reloading = False
        try:
            self._run("test", self.test)
            reloading = True
            verified = self._reload(old_workers)
        except ProxyError:
            self._go_back(before, reloading)
            raise
        self._place.trust()
        return Change(True, False, before, old_workers, verified)

    def restore(self, text_before: str | None, stop: bool | None = None) -> Change:  # noqa: ARG002  (see `stop`)
        """
        Undo an `apply`, or the part of it that was done before a crash; doing it twice is fine.

        Where there was no text, this one stays: the user's server blocks name its upstreams, and without them that
        nginx would not start any more.
        """
        text = text_before or self.text()
        return self.apply(text) if text else Change(False, False, None)

    def quit(self) -> list[Process]:
        """Leave it alone, too."""
        return []

    def stop(self, timeout: float = 0.0) -> None:
        """Leave it alone: it serves others, too."""

    def _put(self, text: str) -> None:
        try:
            self._place.try_out(text)
        except OSError as error:
            raise unwritable(f"cannot write {self.path}: {error.strerror}", error, _WRITABLE) from error

    def _go_back(self, before: str | None, reload: bool) -> None:
        self._place.put(before)
        if reload:
            try:
                self._reload(self.workers())
            except ProxyError:
                return  # the mark stays, so the next command tries again
        self._place.trust()

    def _reload(self, old_workers: list[Process]) -> bool:
        """Reload and wait until new workers have taken over; False where nobody can see whether they have."""
        self._run("reload", self.reload)
        if not old_workers:
            return False
        deadline = self._clock.now() + self.patience
        while not (workers := self.workers()) or set(workers) & set(old_workers):
            if self._clock.now() >= deadline:
                words = f"no new worker came within {self.patience:g} s after `{self.reload}`"
                raise ProxyError(f"nginx did not take the new {self.path}: {words}", certain=False)
            self._clock.sleep(_POLL)
        return True

    def _run(self, name: str, command: str | None) -> None:
        if command is None:
            return
        result = self._commands.run(["/bin/sh", "-ec", command], timeout=_TIMEOUT)
        if result.status != 0:
            said = " ".join(result.output.split()) or "it said nothing"
            hint = _SUDO if "sudo: a " in said else _NAMES if "duplicate upstream" in said else None
            raise ProxyError(f"[nginx] {name} `{command}` ended with status {result.status}: {said[-600:]}", hint=hint)


_SUDO = "nobody can type a password here: `sudo zddeploy enable` writes the line for /etc/sudoers.d that this needs"
_NAMES = "upstreams have the names of services, and another file has this one already: rename the service"
_WRITABLE = "use a file in a folder of yours, and have nginx's configuration `include` it inside `http { }`"
