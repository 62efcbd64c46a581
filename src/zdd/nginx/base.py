"""What both kinds of nginx have in common, ours and the one that somebody else runs."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zdd.conf.schema import Config
from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances.driver import ProxySide
from zdd.nginx import addresses, foreseen, users, words
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.config import mark
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.version import dotted
from zdd.nginx.process import binary, running, sharing
from zdd.nginx.process.about import About
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.master import Answer
from zdd.nginx.process.sharing import Done, Rival
from zdd.nginx.process.whereabouts import Whereabouts
from zdd.nginx.proxy import Check, Proxy, proceed
from zdd.nginx.text.last_text import LastText
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

if TYPE_CHECKING:
    from zdd.nginx.text.tails import Tails

_FOR_THE_MARK = "reloaded, this once: from now on nginx shows which version answers"
_SOMAXCONN = "/proc/sys/net/core/somaxconn"


class NginxBase(Proxy, ABC):
    """
    Brings nginx to the text for a table, and back to the text that it had before.

    `conf_file` is the file that zdd writes, `error_log` where nginx says why it cannot reach an instance.
    `check` is called while nginx's answers are waited for, and may raise.
    """

    conf_file: str
    pid_file: str
    error_log: str
    is_ours: bool  # whether zdd starts it, and so knows where it listens

    def __init__(self, config: Config, paths: Paths, commands: Commands, clock: Clock, check: Check = proceed) -> None:
        self.config = config
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.about = About(paths.nginx_about)  # what its program has said of itself
        self.interrupt = check

    @property
    def file(self) -> ConfFile:
        """The file that zdd writes."""
        return ConfFile(self.conf_file)

    @property
    def last_text(self) -> LastText:
        """The text that zdd last gave nginx."""
        return LastText(self.paths.nginx_last_text, self.paths.current)

    @abstractmethod
    def which(self) -> Answer:
        """Return nginx's master process, or why it is not known. Whatever asks about a running nginx asks this."""

    @abstractmethod
    def serves(self) -> bool:
        """Return whether there is an nginx that answers."""

    @abstractmethod
    def change(self, text: str) -> str:
        """
        Make nginx run this text; do nothing if it does already. Returns what was done, in words.

        Raises ProxyError when nginx does not take it; then the text of before is in place again.
        """

    @abstractmethod
    def change_back(self, text_before: str | None, stop: bool) -> None:
        """Undo a `change`, or the part of it that was done before a crash; `stop` an nginx of ours. Idempotent."""

    @cached_property
    def mark(self) -> Mark:
        """The project's mark, which shows which text nginx runs."""
        return words.mark_of(self.paths)

    @cached_property
    def tails(self) -> Tails:
        """How long pooled connections may lead to old instances, of the texts that its workers run."""
        from zdd.nginx.text.tails import Tails

        return Tails(self.paths.nginx_tails, addresses.beginnings(self.paths.current))

    def require(self) -> None:
        """Raise UsageError where a deploy cannot change nginx, unless nginx runs its text already."""
        target = foreseen.table(self.config)
        if target is None or not self.runs(self.text(target)):
            self.require_change()

    def require_change(self) -> None:
        """Raise UsageError if a process that takes requests would keep its former text after a reload."""
        sharing.refuse(self._rivals, self.clock, UsageError)

    def whereabouts(self) -> Whereabouts:
        return Whereabouts(self.which(), self.pid_file)

    def master(self) -> Process | None:
        """Return nginx's master process if it is known."""
        return self.whereabouts().master

    @cached_property
    def binary(self) -> Binary:
        configured = self.config.nginx.binary
        return binary.find(str(configured) if configured else None, self.master(), self.commands, self.about)

    def rehearse(self, target: Manifest) -> None:  # noqa: ARG002
        return

    def apply(self, deploy: int, text: str) -> str:
        words.keep(self.paths, self.mark)
        self.about.keep()
        kept = self.kept(deploy)
        if files.read(kept) is None:
            files.write(kept, json.dumps({"text": self.file.text(), "ran": self.serves()}), mode=0o600)
        if not self.runs(text) and (rivals := self._rivals()):
            raise rivals[0].refusal(DeployFailed)
        before = self.file.text()
        self.last_text.keep(deploy, before, text)
        done = self._for_all(lambda: self.change(text), text)
        self.last_text.keep(deploy, self.file.text())
        return _FOR_THE_MARK if done == "reloaded" and self._is_first_mark(text, before or "") else done

    def mend(self, deploy: int, text: str) -> str:
        return self.apply(deploy, text)

    def _for_all(self, change: Callable[[], Done], text: str | None) -> Done:
        """Change nginx to this text, for every process that takes requests. Raises DeployFailed."""
        if text is not None and self.runs(text):
            return change()
        if before := self.file.text():
            with contextlib.suppress(UsageError):  # an undo must not fail because nginx's program is gone
                self.tails.replace(before, self.binary.version, self.workers())
        return sharing.reaching_all(change, self.file, self._rivals, self.clock)

    def _rivals(self) -> list[Rival]:
        """Return other processes that take requests and would keep their text. Our own nginx ends orphans itself."""
        return [rival for rival in self.whereabouts().rivals() if rival.master or not self.is_ours]

    def _is_first_mark(self, text: str, before: str) -> bool:
        """Return whether the text before is one that a zdd without the mark has written."""
        is_ours = addresses.beginnings(self.paths.current)[0] in before
        return is_ours and mark.is_in(text) and not mark.is_in(before)

    def restore(self, deploy: int) -> None:
        if (kept := files.read(self.kept(deploy))) is not None:
            before = json.loads(kept)
            self.last_text.keep(deploy, self.file.text(), before["text"])
            self._for_all(lambda: self.change_back(before["text"], stop=not before["ran"]), before["text"])
            self.last_text.keep(deploy, self.file.text())

    def altered(self) -> str | None:
        """Say so if somebody else has changed the file since nginx read it; return None if nothing shows that."""
        if not self.last_text.differs(self.file.text()):
            return None
        return f"{self.conf_file} is not what zdd has written: somebody else has changed it; `zddeploy up` puts it back"

    def workers(self, shutting_down: bool = False) -> list[Process]:
        """Return the workers that take new requests; or all, also those that only finish what they have."""
        return running.workers(found, shutting_down) if (found := self.master()) else []

    def retiring_workers(self) -> list[Process]:
        return sharing.finishing(found) if (found := self.master()) else []

    def describe(self) -> dict[str, Any]:
        master = self.master()
        try:
            version = dotted(self.binary.version) if master else None
        except UsageError:  # root does not run somebody else's program to ask it
            version = None
        return {"pid": master.pid if master else None, "version": version, "managed": self.is_ours}

    def capacity(self) -> str:
        """
        Return how many requests can wait, and what sets that limit, as a part of a sentence.

        The requests of one service wait in one queue of the kernel. nginx as a whole has a limit, too: beyond it, it
        refuses even what it would answer by itself.
        """
        queue = files.read_number(_SOMAXCONN)  # None where it is hidden (ProcSubset=pid)
        limits = [*([(queue, "net.core.somaxconn")] if queue is not None else []), *self.limits()]
        if not limits:
            return "how many is unknown"
        most, limit = min(limits)
        return f"at most {most:,}: {limit}"

    def access(self) -> ProxySide:
        return ProxySide(self.worker_users(), self.pid_file)

    def first_unsearchable_folder(self) -> tuple[str, str] | None:
        return users.first_unsearchable_folder(self.paths.runtime, self.worker_users())

    def limits(self) -> Sequence[tuple[int, str]]:
        """Return the known limits on requests that wait, each with the setting it comes from."""
        return ()

    def kept(self, deploy: int) -> str:
        """Return the file with what nginx ran before this deploy."""
        return f"{self.paths.table(deploy)}/nginx.before"
