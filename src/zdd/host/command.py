"""Programs that zdd runs: to the end, or let go."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple, NoReturn

from zdd.host.clock import Clock
from zdd.host.process import Process, change_user

_MOST_SHOWN = 1 << 24  # bytes of output that are read, the last; a command of a service's user may print without end
_PAUSE = 0.01  # seconds between looks at whether a program has ended


class Result:
    """How a program ended: its exit status (minus the signal's number when killed) and all it printed."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output


class Identity(NamedTuple):
    """Whom a program runs as: user, group and further groups, None where that stays as it is here."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None


_OURSELVES = Identity()


class Commands:
    """
    Runs programs. `log` is called with each command line and its folder.

    Raises OSError when a program cannot be started at all.
    """

    def __init__(self, log: Callable[[str], None] | None = None) -> None:
        self.log = log

    def run(
        self,
        argv: Sequence[str],
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        who: Identity = _OURSELVES,
        interrupt: Callable[[], None] = lambda: None,
    ) -> Result:
        """
        Run to the end and return what it printed, stdout and stderr together, of more than 16 MiB the end.

        After `timeout` seconds its whole session is killed; the status is then that of SIGKILL, -9, and the output
        says so. What it leaves running in the background, holding its output open, is not waited for. `interrupt` is
        called again and again; when it raises, the session is killed, too.
        """
        # Into a file and not a pipe: a pipe ends only when everything that was left in the background has ended.
        with tempfile.TemporaryFile() as output:
            child = self._start(argv, cwd, env, output, who)
            status = child.wait(timeout, Clock(), interrupt)
            output.seek(max(0, os.fstat(output.fileno()).st_size - _MOST_SHOWN))
            printed = output.read().decode(errors="replace")
        if status is None:
            return Result(-signal.SIGKILL, f"{printed}(killed: not done after {timeout:g} s)\n")
        return Result(status, printed)

    def attend(
        self,
        argv: Sequence[str],
        there: Surroundings,
        output: str,
        timeout: float,
        clock: Clock,
        interrupt: Callable[[], None],
    ) -> int | None:
        """
        Run to the end, what it prints appended to the file `output`; returns the exit status, None after `timeout` s.

        `interrupt` is called again and again and may raise. However this ends, nothing of its session runs on.
        """
        return self.spawn(argv, there.cwd, there.env, output, who=there.who).wait(timeout, clock, interrupt)

    def spawn(
        self,
        argv: Sequence[str],
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        output: str = os.devnull,
        descriptors: Sequence[int] = (),
        who: Identity = _OURSELVES,
        umask: int = -1,
    ) -> Spawned:
        """
        Start a program in a session of its own and let it go; what it prints is appended to the file `output`.

        It inherits `descriptors`, under their own numbers, and no others. An `umask` of -1 is ours.
        """
        with open(output, "ab") as log:
            return self._start(argv, cwd, env, log, who, descriptors, umask)

    def _start(
        self,
        argv: Sequence[str],
        cwd: str,
        env: Mapping[str, str] | None,
        output: IO[bytes],
        who: Identity,
        descriptors: Sequence[int] = (),
        umask: int = -1,
    ) -> Spawned:
        if self.log:
            self.log(f"{shlex.join(argv)}  (in {cwd})")
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=descriptors,
            umask=umask,
            user=who.uid,
            group=who.gid,
            extra_groups=who.groups if os.geteuid() == 0 else None,
        )
        return Spawned(child)


class Surroundings(NamedTuple):
    """Where, with what and as whom a program runs."""

    cwd: str
    env: Mapping[str, str]
    who: Identity = _OURSELVES


def become(argv: Sequence[str], there: Surroundings) -> NoReturn:
    """Turn this process into the program, found by the PATH that it will have. Raises OSError when that cannot be."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored stays so
    os.umask(0o022)
    change_user(*there.who)
    os.chdir(there.cwd)
    os.execvpe(argv[0], list(argv), there.env)


def cannot_run(command: str, error: OSError) -> str:
    """Say that a program could not be started, and why."""
    return f"cannot run {command!r}: {error.strerror or os.strerror(error.errno or 0)}"


def die_of(number: int) -> None:
    """End by this signal, so that our parent sees how the program that we ran has ended."""
    import resource  # here, because only this needs it

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the dump of interest is the program's
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class Spawned:
    """A child that was let go: it outlives us, and while we are here we can ask how it ended."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        process = Process.find(child.pid)
        # A child that has ended already is a zombie: still ours, so its number is not anybody else's.
        self.process = process or Process(child.pid, 0)

    def status(self) -> int | None:
        """Return the exit status (minus the signal's number when killed), None while it runs."""
        return self._child.poll()

    def wait(self, timeout: float, clock: Clock, interrupt: Callable[[], None]) -> int | None:
        """
        Return the exit status once the child has ended, None after `timeout` seconds.

        `interrupt` is called again and again and may raise. After the timeout, and when `interrupt` raises, the child's
        whole session is killed.
        """
        try:
            for _ in clock.poll(_PAUSE, until=clock.now() + timeout, interrupt=interrupt):
                if (status := self.status()) is not None:
                    return status
            return None
        finally:
            if self.status() is None:
                self.kill_session()

    def kill_session(self) -> None:
        """Kill the child and all that is in its session; returns when the child has ended."""
        if self._child.returncode is None:
            os.killpg(self._child.pid, signal.SIGKILL)  # not yet reaped: the number is still its
            self._child.wait()

    def forget(self) -> None:
        """Stop caring: no warning is due that it still runs when we end."""
        if self._child.returncode is None:
            self._child.returncode = 0
