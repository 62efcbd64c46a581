"""The app: a child process and all processes that it starts, from fork(2) until the last of them has ended."""

from __future__ import annotations

import os
import time
import warnings  # noqa: F401  (os.execvpe imports it: in the child, where nothing can be imported as another user)

from zdd.host import files, interpreter, own_process, process, usage
from zdd.host import light_json as json
from zdd.host.light import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from zdd.keeper.listener import Listener
    from zdd.keeper.log import Log
    from zdd.keeper.record import Record

CANNOT_START = 127  # the exit status of an app that never ran, as in a shell
_LISTEN_FD = 3
_LONGEST = 2000  # characters of a report, so that a pipe holds it
_NICENESS = 10  # a tenth of the weight of other processes; 19 starves a start if no core is ever idle


class Ended:
    """How the app ended: its exit status, minus the signal's number when killed, and that in words."""

    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words

    def event(self) -> dict[str, Any]:
        """Return what is reported to attached command lines."""
        return {"event": "exit", "words": self.words, "status": self.status}


class NeverRan(Ended):
    """Why the app could not be started: the stage that failed, and the errno; 0.1.0 reads only the words."""

    def __init__(self, stage: str, errno: int | None, words: str) -> None:
        super().__init__(CANNOT_START, words)
        self.stage, self.errno = stage, errno

    def event(self) -> dict[str, Any]:
        """Return what is reported, with the stage and the errno."""
        return super().event() | {"stage": self.stage, "errno": self.errno}


class App:
    """
    Runs one app at a time.

    The keeper is a child subreaper: processes that the app leaves behind become the keeper's children. So all have
    ended when the keeper has no children; `has_children` says whether it had any at the last `reap`.
    """

    def __init__(self, record: Record, log: Log) -> None:
        self.record = record
        self.log = log
        self.pid: int | None = None
        self.since: float | None = None
        self.has_children = False
        self._report: int | None = None
        self._kills = 0

    def start(self, listener: Listener, low_priority: bool, record: Callable[[int], object]) -> None:
        """
        Start the app on the listener's socket or port, with the usual priority or a low one, once it is recorded.

        Raises OSError if no process can be created.
        """
        self._close_report()
        self.log.look()
        self._kills = usage.kills()
        self._report, report = os.pipe()  # closes on exec: its content is why the app never ran
        try:
            pid = own_process.fork(record)
        except OSError:
            os.close(report)
            raise
        if pid == 0:
            self._become(listener, report, low_priority)
        os.close(report)
        self.pid, self.since, self.has_children = pid, time.time(), True

    def reap(self) -> Ended | None:
        """Collect the processes that have ended; return how the app itself ended, if it is one of them."""
        ended = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.has_children = False
                return ended
            if pid == 0:
                return ended
            if pid == self.pid:
                self.pid = self.since = None
                ended = self._ended(os.waitstatus_to_exitcode(status))

    def signal(self, number: int) -> None:
        """Signal the app, which knows how to stop its workers; once it has ended, signal all its processes."""
        if self.pid is None:
            self.signal_all(number)
        else:
            send(process.Process.find(self.pid), number)

    def signal_all(self, number: int) -> None:
        """Signal the app and all processes that it has started, whatever their session."""
        for pid in process.descendants(os.getpid()) if self.has_children else ():
            send(process.Process.find(pid), number)

    def full_speed(self) -> bool:
        """Give the app the usual priority; return False if the kernel asks to try again (it limits the rate)."""
        return _be_nice(self.pid, 0)

    def on_cores(self) -> tuple[float, float]:
        """Return for how many seconds its threads have run, and were ready to run but got no core."""
        return usage.on_cores(process.descendants(os.getpid()))

    def _ended(self, status: int) -> Ended:
        report = os.read(self._report, 65536) if self._report is not None else b""
        self._close_report()
        if report:
            return NeverRan(*json.loads(report))
        words = process.ended(status)
        if status < 0:
            words = f"signal {words.removeprefix('signal ')}"
        if status == -signal.SIGKILL and usage.kills() > self._kills:
            words += ", out of memory (memory_max, or the machine's)"
        return Ended(status, words)

    def _close_report(self) -> None:
        if self._report is not None:
            os.close(self._report)
            self._report = None

    def _become(self, listener: Listener, report: int, low_priority: bool) -> NoReturn:
        """Turn this forked child into the app. Never returns."""
        record = self.record
        socket = listener.listen_socket.fileno() if listener.listen_socket else None
        argv: list[str] = []
        env: dict[str, str] = {}
        stage, what = "start", "start"
        try:
            argv, env = self._command(listener)
            os.setsid()
            if low_priority:
                _be_nice(os.getpid(), _NICENESS)
            _reset_signals()
            os.umask(0o022)
            self._arrange_descriptors(socket)
            if socket is not None and record.listen_variables:
                env |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": record.service}
                env["ZDD_SOCKET_INODE"] = str(os.fstat(socket).st_ino)  # for a process that has another descriptor
                env["ZDD_SOCKET_CLAIM"] = f"{os.path.dirname(listener.placeholder or '')}/claim"  # see listen.cjs
            stage, what = "user", f"become user {record.uid}, group {record.gid}"
            own_process.change_user(record.uid, record.gid, record.groups)
            _leave_placeholder(listener.placeholder)
            stage, what = "folder", f"enter {record.cwd!r}"
            os.chdir(record.cwd)
            stage, what = "run", f"run {argv[0]!r}"
            os.execvpe(argv[0], argv, env)
        except BaseException as error:
            reason = None
            if stage == "run" and isinstance(error, FileNotFoundError):
                reason = interpreter.why_not_found(argv[0], env.get("PATH", os.defpath))
            os.write(report, _reported("interpreter" if reason else stage, what, error, reason))
        finally:
            os._exit(CANNOT_START)

    def leaves_its_session(self) -> bool:
        """
        Return whether a process of the app is in another session than the app, as a daemon is.

        Then the app itself may be about to end. A server that is quick to start answers before that.
        """
        others = [*process.children(os.getpid()), *process.children(self.pid or 0)]
        return any(pid != self.pid and process.session(pid) not in (self.pid, None) for pid in others)

    def _command(self, listener: Listener) -> tuple[list[str], dict[str, str]]:
        """Return the app's arguments and environment, with its port in place of {port}."""
        argv, env, port = list(self.record.argv), dict(self.record.env), listener.port
        if port is not None:
            argv = [word.replace("{port}", str(port)) for word in argv]
            env = {name: value.replace("{port}", str(port)) for name, value in env.items()} | {"PORT": str(port)}
        return argv, env

    def _arrange_descriptors(self, socket: int | None) -> None:
        """Set descriptors 0 to 2, and 3 for the socket; all others close on exec."""
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(self.log.fd, 1)
        os.dup2(self.log.fd, 2)
        if socket == _LISTEN_FD:
            os.set_inheritable(socket, True)
        elif socket is not None:
            os.dup2(socket, _LISTEN_FD)


def _reported(stage: str, what: str, error: BaseException, reason: str | None) -> bytes:
    """Return what the child writes for its keeper: the arguments of NeverRan."""
    reason = reason or (error.strerror if isinstance(error, OSError) and error.strerror else repr(error))
    return json.dumps([stage, getattr(error, "errno", None), f"cannot {what}: {reason}"[:_LONGEST]]).encode()


def _leave_placeholder(path: str | None) -> None:
    """Create an empty file where the socket was bound, as the app's user, for servers that unlink that name."""
    try:
        if path:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError:  # left by an earlier start, or the app does not let us write to its folder
        pass


def _reset_signals() -> None:
    """Reset signals: Python ignores SIGPIPE and SIGXFSZ, and ignored or blocked signals survive exec."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _be_nice(pid: int | None, niceness: int) -> bool:
    """
    Set the niceness of a whole session: nice(2) has no effect between sessions (sched(7), autogroup).

    Return False if the kernel asks to try again.
    """
    try:
        with files.Opened(f"/proc/{pid}/autogroup", os.O_WRONLY) as fd:
            os.write(fd, str(niceness).encode())
    except BlockingIOError:
        return False
    except OSError:  # a kernel without autogroups, or a process that has ended
        pass
    return True


def send(target: process.Process | None, number: int) -> None:
    """Send a signal to a process of the app, if it is still there and may be signalled; one that is suspended wakes."""
    try:
        if target:
            target.signal(number)
            if (fields := process.stat_fields(target.pid)) and fields[0] == "T":
                target.signal(signal.SIGCONT)  # one that is suspended would not notice, and be killed
    except PermissionError:  # it runs as another user now, by sudo for example
        pass
