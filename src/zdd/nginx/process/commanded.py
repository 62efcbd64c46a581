"""An nginx that somebody else runs: the user's commands test a text that it includes, and make it reload."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence

from zdd.conf.nginx_section import NginxSection
from zdd.errors import UsageError
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.conf_file import ConfFile
from zdd.nginx.config import upstream
from zdd.nginx.config.mark import Seen
from zdd.nginx.process import complaints
from zdd.nginx.process.complaints import ProxyError, unwritable
from zdd.nginx.process.reload import PATIENCE, READS, Reload

_TIMEOUT = 60.0  # seconds for one command: a reload by systemctl waits for whatever the unit does
_ASIDE = ("unshare", "--mount", "/bin/sh", "-ec")  # a shell that alone sees what it mounts
_WHY = "nginx's error log says why"
_SUDO = "`sudo zddeploy enable` writes the line for /etc/sudoers.d that this needs"
_NAMES = "upstreams have the names of services, and another file has this one already: rename the service"
_HINTS = (  # what a command says, and what helps
    ("sudo: a ", f"nobody can type a password here: {_SUDO}"),
    ("duplicate upstream", _NAMES),
    ("Permission denied", f"it reads what only root may, such as a TLS key: put sudo before it; {_SUDO}"),
)
_WRITABLE = "use a file in a folder of yours, and have nginx's configuration `include` it inside `http { }`"


class CommandedNginx:
    """
    The nginx that includes the file of `section`, which also has the commands; the one that tests may be missing.

    `master` returns its master process, None if it cannot be seen. `digest` and `look` are as for NginxProcess;
    `patience` is how many seconds a reload may take, besides three times what the test took. `trial` is the path for a
    text that is tested before it is put in place. `interrupt` is called while a test and a reload are waited for, and
    may raise.
    """

    patience = PATIENCE

    def __init__(
        self,
        section: NginxSection,
        commands: Commands,
        clock: Clock,
        master: Callable[[], Process | None],
        digest: Callable[[str], str | None],
        look: Callable[[], Seen | None],
        trial: str,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self.conf_file = str(section.include)
        self._trial = ConfFile(trial)
        self._file = ConfFile(self.conf_file, self._reader)
        self._test, self._reload = section.test, section.reload or ""  # the configuration's check has seen a reload
        self._commands = commands
        self._clock = clock
        self._master = master
        self._digest = digest
        self._look = look
        self._interrupt = interrupt

    def require(self) -> None:
        """Raise UsageError where the file cannot be written."""
        if not os.access(os.path.dirname(os.path.realpath(self.conf_file)), os.W_OK | os.X_OK):
            message = f"cannot write {self.conf_file}: its folder is missing or not yours to write to"
            raise UsageError(message, hint=_WRITABLE)

    def runs(self, text: str) -> bool:
        """Return whether nginx was made to read this text, so that there is nothing to do."""
        return text == self._file.text() and self._file.is_trusted()

    def apply(self, text: str) -> str:
        """
        Test the text, put it in place, reload, and wait for the proof that nginx runs it; returns what was done.

        Raises ProxyError if nginx does not take it; then the previous text is in place, and what ran before runs.
        """
        before, trusted = self._file.text(), self._file.is_trusted()
        if self.runs(text):
            return "unchanged"
        begun = self._clock.now()
        is_tested = self._test_aside(text)
        watch, alike = self._expect(text), trusted
        self._write(self._file.try_out, self.conf_file, text)
        try:
            if self._test is not None and not is_tested:
                self._run("test", self._test, interrupt=self._interrupt)
            alike = trusted and _leads_alike(text, before)
            self._await(watch, text, READS * (self._clock.now() - begun), alike)
        except ProxyError:
            self._go_back(before, trusted, watch, alike)
            raise
        self._file.trust()
        return "reloaded" if watch else "reloaded, says its command; its processes cannot be seen here"

    def _test_aside(self, text: str) -> bool:
        """
        Test the text before it is put in place, in a mount namespace where it seems to be there (mount_namespaces(7)).

        So nobody else's reload reads a text that fails its test. Returns False where that is not possible: where we are
        not root, in a container that may not mount, or if there is no file yet. Raises ProxyError.
        """
        if self._test is None or os.geteuid() != 0 or not os.path.exists(self.conf_file):
            return False
        self._write(self._trial.put, self._trial.path, text)
        try:
            path = os.path.realpath(self.conf_file)
            mount = shlex.join(["mount", "--bind", self._trial.path, path])
            if self._commands.run([*_ASIDE, mount], timeout=_TIMEOUT).status != 0:
                return False
            self._run("test", self._test, [*_ASIDE, f"{mount}\n{self._test}"], self._interrupt)
        finally:
            self._trial.put(None)
        return True

    def _write(self, put: Callable[[str], None], path: str, text: str) -> None:
        try:
            put(text)
        except OSError as problem:
            raise unwritable(f"cannot write {path}: {problem.strerror}", problem, _WRITABLE) from problem

    def _reader(self) -> int | None:
        """Return the user that nginx's master reads the file as, None if it cannot be seen."""
        master = self._master()
        return process.user_id(master.pid) if master else None

    def _expect(self, text: str) -> Reload | None:
        """Return what watches the reload to come; None if the master cannot be seen."""
        master = self._master()
        return Reload(master, self._clock, self._digest(text), self._look) if master else None

    def _go_back(self, before: str | None, trusted: bool, watch: Reload | None, alike: bool) -> None:
        """Put the text of before back; reload unless nginx runs it still and has not read the other one meanwhile."""
        self._file.put(before)
        if watch is None or not trusted or not watch.has_changed_nothing():
            try:
                self._await(self._expect(before or ""), before or "", self.patience, alike)
            except ProxyError:
                return  # the mark stays, so the next command tries again
        self._file.trust()

    def _await(self, watch: Reload | None, text: str, more: float, alike: bool) -> None:
        """
        Reload and wait until nginx has proved that it runs the text. Raises ProxyError otherwise.

        `alike`: the texts that nginx may run instead lead to the same ports, so nobody is lost by them.
        """
        logs = complaints.Logs(watch.master) if watch else None
        self._run("reload", self._reload)
        if watch is None or logs is None:
            if not alike:
                self._require_proof(text)
            return
        patience = round(self.patience + more, 1)
        outcome = watch.wait(patience, interrupt=self._interrupt)
        if outcome != "done":
            seen = "it goes on as before" if outcome else f"no new worker came within {patience:g} s"
            reason = logs.reason()
            message = f"nginx did not take the new {self.conf_file}: {reason or seen} after `{self._reload}`"
            hint = complaints.hint(reason) if reason else _WHY
            raise ProxyError(message, hint=hint, certain=watch.has_changed_nothing())

    def _require_proof(self, text: str) -> None:
        """Raise ProxyError if no answer shows that nginx runs this text; its processes cannot be seen."""
        seen = self._look()
        if not (seen and seen.digest == self._digest(text)):
            raise ProxyError(
                f"nothing shows which text nginx runs after `{self._reload}`: its master cannot be seen",
                hint="set pid_file in [nginx] to the pid file of the nginx that includes it",
                certain=False,
            )

    def _run(
        self,
        name: str,
        command: str,
        argv: Sequence[str] = (),
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a command of the user's, by default by the shell. Raises ProxyError if it fails."""
        result = self._commands.run(argv or ["/bin/sh", "-ec", command], timeout=_TIMEOUT, interrupt=interrupt)
        if result.status != 0:
            output = " ".join(result.output.split()) or "it said nothing"
            hint = next((hint for words, hint in _HINTS if words in output), None)
            raise ProxyError(
                f"[nginx] {name} `{command}` ended with status {result.status}: {output[-600:]}", hint=hint
            )


def _leads_alike(text: str, before: str | None) -> bool:
    """
    Return whether both texts lead to the same ports, or there was none before.

    Slots lead where the table says, whatever the text is.
    """
    return before is None or upstream.ports(text) == upstream.ports(before)
