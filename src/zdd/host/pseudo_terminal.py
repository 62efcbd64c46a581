"""
Programs of another user in the foreground, each in its own session and on its own terminal.

A program that shares a terminal can read what is typed there, and on many kernels type into it (TIOCSTI, ioctl_tty(2)):
a program of a service's user could type into root's shell. So each standard stream that is our terminal is replaced by
a pseudo terminal, and input and output are relayed. Streams that are files or pipes are passed on unchanged.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import termios
import tty
from collections.abc import Iterator, Sequence

from zdd.host.command import Surroundings, start
from zdd.host.own_process import Handlers

_FORWARDED = [signal.Signals[f"SIG{name}"] for name in ("INT", "QUIT", "TERM", "HUP", "USR1", "USR2", "CONT")]
_CHUNK = 65536
_LAST_WORDS = 64  # chunks that are relayed after the program's end, as other processes may print for ever


def run(argv: Sequence[str], there: Surroundings) -> int:
    """
    Wait for the program's end; return its exit status (minus the signal's number if killed).

    Signals that we receive are passed on. Raises OSError if the program cannot be started.
    """
    ours = next((fd for fd in (1, 2, 0) if os.isatty(fd)), None)  # where its output is shown
    if ours is None:
        child = _start(argv, there, (0, 1, 2), None)
        with _forwarding(child):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
            return child.wait()
    master, slave = os.openpty()
    try:
        _copy_size(ours, master)
        if there.who.uid is not None:
            os.fchown(slave, there.who.uid, -1)  # some programs open it by name
            os.fchmod(slave, 0o600)
        child = _start(argv, there, [slave if os.isatty(fd) else fd for fd in (0, 1, 2)], slave)
        with _forwarding(child), _resizing(ours, master), _typing() as typed:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
            _Relay(child, master, typed, ours).run()
        return child.wait()
    finally:
        os.close(master)
        os.close(slave)  # only now: a terminal that no process has open reads as closed


def _start(
    argv: Sequence[str], there: Surroundings, streams: Sequence[int], terminal: int | None
) -> subprocess.Popen[bytes]:
    def take_terminal() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    stdin, stdout, stderr = streams
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)  # one that comes before they are passed on would end only us
    try:
        return start(argv, there, stdin=stdin, stdout=stdout, stderr=stderr, umask=0o022, preexec_fn=take_terminal)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        raise


def _forwarding(child: subprocess.Popen[bytes]) -> Handlers:
    """Pass on to the program's process group the signals that it would have received in our session."""

    def forward(number: int, _: object) -> None:
        if child.returncode is None:  # not reaped, so the number is not reused
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    # nohup ignores some for us both
    return Handlers({number: forward for number in _FORWARDED if signal.getsignal(number) != signal.SIG_IGN})


def _resizing(ours: int, master: int) -> Handlers:
    return Handlers({signal.SIGWINCH: lambda *_: _copy_size(ours, master)})


def _copy_size(ours: int, master: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(ours, termios.TIOCGWINSZ, bytes(8)))


@contextlib.contextmanager
def _typing() -> Iterator[int | None]:
    """Give, for a `with`, the descriptor of the keyboard in raw mode; None if our terminal is not in the foreground."""
    if not os.isatty(0) or not _in_foreground():
        yield None
        return
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield 0
    finally:
        # Unread input is dropped: it may be the terminal's own answer to what was printed.
        termios.tcsetattr(0, termios.TCSAFLUSH, before)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # not the terminal of our session
        return True


class _Relay:
    """Relays input to the program and output to our terminal, until the program ends."""

    def __init__(self, child: subprocess.Popen[bytes], master: int, typed: int | None, ours: int) -> None:
        self.child = child
        self.master = master
        self.typed = typed
        self.ours = ours
        self.waiting = b""  # input that the program's terminal has not taken yet
        os.set_blocking(master, False)

    def run(self) -> None:
        """Relay until the program has ended, and then the rest of its output."""
        ended = os.pidfd_open(self.child.pid)
        try:
            while ended not in (ready := self._ready(ended)):
                if self.master in ready:
                    self._show()
                if self.typed in ready:
                    self._read()
                self._pass_on()
            for _ in range(_LAST_WORDS):
                if not self._show():
                    break
        finally:
            os.close(ended)

    def _ready(self, ended: int) -> list[int]:
        typed = [] if self.typed is None or self.waiting else [self.typed]
        readable, _, _ = select.select([ended, self.master, *typed], [self.master] if self.waiting else [], [])
        return readable

    def _show(self) -> bool:
        """Show what the program has printed; return False if there is no output now."""
        try:
            data = os.read(self.master, _CHUNK)
        except BlockingIOError:
            return False
        while data:
            try:
                data = data[os.write(self.ours, data) :]
            except BlockingIOError:
                select.select([], [self.ours], [])
            except OSError:  # our terminal is gone; every process gets a signal
                break
        return True

    def _read(self) -> None:
        assert self.typed is not None
        try:
            self.waiting = os.read(self.typed, _CHUNK)
        except OSError:
            self.waiting = b""
        if not self.waiting:  # our terminal is gone
            self.typed = None

    def _pass_on(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.waiting = self.waiting[os.write(self.master, self.waiting) :] if self.waiting else b""
