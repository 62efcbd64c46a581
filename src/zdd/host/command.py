"""Programs that zdd runs: it waits for their end, or leaves them running."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NamedTuple, NoReturn

from zdd.host import rotation
from zdd.host.clock import Clock
from zdd.host.own_process import change_user
from zdd.host.process import Process

_MOST_SHOWN = 1 << 24  # bytes: only the end of longer output is read, as a service's user may print without end
_MOST_KEPT = 16 * _MOST_SHOWN  # bytes: then what was printed so far is dropped
_USUAL = 30.0  # seconds, where a caller says nothing else: `nginx -t` takes 3 s for 5,000 servers with TLS
_SLICE = 0.02  # seconds between calls of `interrupt`; the end of a program wakes us at once


class Result(NamedTuple):
    """How a program ended: its exit status (minus the signal's number if killed) and its output."""

    status: int
    output: str


class Identity(NamedTuple):
    """The user, group and further groups that a program runs as; None keeps ours."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None


_OURSELVES = Identity()


class Surroundings(NamedTuple):
    """The folder, environment and user of a program."""

    cwd: str
    env: Mapping[str, str]
    who: Identity = _OURSELVES


def start(argv: Sequence[str], there: Surroundings, **more: Any) -> subprocess.Popen[bytes]:
    """Start a program in its own session; `more` is for Popen."""
    cwd, env, (uid, gid, groups) = there
    if os.geteuid() != 0:
        groups = None  # nobody else may set them
    more |= {"user": uid, "group": gid, "extra_groups": groups}
    child: subprocess.Popen[bytes] = subprocess.Popen(argv, cwd=cwd, env=env, start_new_session=True, **more)
    return child


class Commands:
    """
    Runs programs. `log` is called with each command line and its folder.

    `only_looks`: for a command that changes nothing, and so may run no program that another user could replace.
    Raises OSError if a program cannot be started.
    """

    def __init__(self, log: Callable[[str], None] | None = None, only_looks: bool = False) -> None:
        self.log = log
        self.only_looks = only_looks

    def run(
        self,
        argv: Sequence[str],
        cwd: str = "/",
        env: Mapping[str, str] = os.environ,
        timeout: float = _USUAL,
        who: Identity = _OURSELVES,
        interrupt: Callable[[], None] = lambda: None,
        stdout_alone: bool = False,
    ) -> Result:
        """
        Wait for the program's end and return its output: stdout and stderr together, at most the last 16 MiB.

        With `stdout_alone`, what a program that has succeeded wrote to stderr is left out, such as warnings.

        After `timeout` seconds its whole session is killed: the status is then -9 (SIGKILL), and the output says so.
        Background processes that keep its output open are not waited for. `interrupt` is called repeatedly; if it
        raises, the session is killed, too.
        """
        # Output goes to a file, as a pipe ends only when all background processes have ended.
        with _nameless_file() as output, _nameless_file() if stdout_alone else contextlib.nullcontext(output) as errors:

            def check() -> None:
                interrupt()
                for file in (output, errors):
                    if os.fstat(file.fileno()).st_blocks * 512 > _MOST_KEPT:
                        os.ftruncate(file.fileno(), 0)  # the program goes on behind the hole: it must not fill the disk

            status = self._start(argv, Surroundings(cwd, env, who), output, errors).wait(timeout, Clock(), check)
            printed = _end_of(output) + (_end_of(errors) if stdout_alone and status != 0 else "")
        if status is None:
            return Result(-signal.SIGKILL, f"{printed}(killed: not done after {timeout:g} s)\n")
        return Result(status, printed)

    def spawn(
        self,
        argv: Sequence[str],
        cwd: str = "/",
        env: Mapping[str, str] = os.environ,
        output: str = os.devnull,
        descriptors: Sequence[int] = (),
        who: Identity = _OURSELVES,
        umask: int = -1,
    ) -> Spawned:
        """
        Start a program in its own session and leave it running; its output is appended to the file `output`.

        It inherits only `descriptors`, under the same numbers. An `umask` of -1 means ours.
        """
        with open(output, "ab") as log:
            return self._start(argv, Surroundings(cwd, env, who), log, log, pass_fds=descriptors, umask=umask)

    def _start(
        self, argv: Sequence[str], there: Surroundings, output: IO[bytes], errors: IO[bytes], **more: Any
    ) -> Spawned:
        if self.log:
            self.log(f"{shlex.join(argv)}  (in {there.cwd})")
        return Spawned(start(argv, there, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, **more))


def become(argv: Sequence[str], there: Surroundings) -> NoReturn:
    """Replace this process by the program, which is looked up in its own PATH. Raises OSError if it cannot be run."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and ignored signals stay ignored after exec
    os.umask(0o022)
    change_user(*there.who)
    os.chdir(there.cwd)
    os.execvpe(argv[0], list(argv), there.env)


def cannot_run(command: str, error: OSError) -> str:
    """Say that a program could not be started, and why."""
    return f"cannot run {command!r}: {error.strerror or os.strerror(error.errno or 0)}"


class Spawned:
    """A child that outlives us; while we run, we can ask how it ended."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        process = Process.find(child.pid)
        # A child that has ended is a zombie until we reap it, so its number is not reused.
        self.process = process or Process(child.pid, 0)

    def status(self) -> int | None:
        """Return the exit status (minus the signal's number if killed), None while it runs."""
        return self._child.poll()

    def wait(self, timeout: float, clock: Clock, interrupt: Callable[[], None]) -> int | None:
        """
        Return the exit status once the child has ended, None after `timeout` seconds.

        `interrupt` is called repeatedly and may raise. After the timeout, or if `interrupt` raises, the child's whole
        session is killed.
        """
        try:
            if self.status() is None:
                self._await_end(clock, clock.now() + timeout, interrupt)
            return self.status()
        finally:
            if self.status() is None:
                self.kill_session()

    def _await_end(self, clock: Clock, until: float, interrupt: Callable[[], None]) -> None:
        pidfd, ended = os.pidfd_open(self._child.pid), select.poll()  # not reaped yet, so the number is not reused
        try:
            ended.register(pidfd, select.POLLIN)
            while clock.now() < until:
                interrupt()
                if ended.poll(1000 * min(_SLICE, max(0.0, until - clock.now()))):
                    return
        finally:
            os.close(pidfd)

    def kill_session(self) -> None:
        """Kill the child's whole session; return once the child has ended. Leave alone what is another user's: sudo."""
        if self._child.returncode is None:
            try:
                os.killpg(self._child.pid, signal.SIGKILL)  # not reaped yet, so the number is not reused
            except PermissionError:
                self.forget()
            else:
                self._child.wait()

    def forget(self) -> Process:
        """Prevent Python's warning that the child still runs when we end; return the process."""
        if self._child.returncode is None:
            self._child.returncode = 0
        return self.process


def which(program: str, path: str | None = None) -> str | None:
    """Return where a program is, in the folders of `path`, else of PATH; None if it is in none of them."""
    if "/" in program:
        return program if _is_program(program) else None
    folders = (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep)
    places = (os.path.join(folder, program) for folder in folders if folder)
    return next((place for place in places if _is_program(place)), None)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)


def _end_of(output: IO[bytes]) -> str:
    output.seek(max(rotation.data(output.fileno()), os.fstat(output.fileno()).st_size - _MOST_SHOWN))
    return output.read().decode(errors="replace")


def _nameless_file() -> IO[bytes]:
    """
    Return a temporary file that has no name, so that nothing is left of it however zddeploy ends.

    It is in memory where no folder takes one, as in units with ProtectSystem=strict.
    """
    try:
        fd = os.open(os.environ.get("TMPDIR", "/tmp"), os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:  # read-only or missing, or its file system has no O_TMPFILE, open(2)
        fd = os.memfd_create("output")
    return os.fdopen(fd, "w+b")
