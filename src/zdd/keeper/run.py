"""The keeper's process: creates all objects, then runs the loop until the instance is gone."""

from __future__ import annotations

import os
import select
import time

from zdd.host import own_process
from zdd.host.light import signal
from zdd.keeper.app import App
from zdd.keeper.control import Control
from zdd.keeper.fd_listener import FdListener
from zdd.keeper.handed import Handed
from zdd.keeper.keeper import Keeper
from zdd.keeper.listener import Listener
from zdd.keeper.log import Log
from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.operations import Operations
from zdd.keeper.part import Shared
from zdd.keeper.port_listener import PortListener
from zdd.keeper.probe import Probe
from zdd.keeper.record import Record
from zdd.keeper.relay import Relay
from zdd.keeper.unix_listener import UnixListener

_PAUSE = 0.1  # after an unexpected error, which may occur again at once


def main(path: str) -> int:
    """Run the keeper of this record until the instance is gone."""
    record = Record.read(path)
    log = _settle(record)

    def write(line: str) -> None:
        log.write(f"{record.instance}: {line}")

    deadlines = Deadlines(time.monotonic)
    loop = Loop(deadlines)
    control = Control(loop, record.control)
    app, relay, probe = App(record, log), Relay(loop), Probe(loop, record.health["path"], record.health["host"])
    listener = _listener(record, loop)
    relay.relayed = Handed(record, listener).note
    keeper = Keeper(Shared(record, app, listener, relay, probe, loop, control, write))
    signals = _signals()

    def on_signal(_: int) -> None:
        numbers = os.read(signals, 4096)
        if signal.SIGCHLD in numbers:
            keeper.children_changed()
        if signal.SIGIO in numbers:
            keeper.changes.noticed()
        if signal.SIGTERM in numbers:
            write("told to stop by SIGTERM")
            keeper.stop()

    loop.watch(signals, select.POLLIN, on_signal)
    control.open(Operations(keeper).handle, keeper.deserted)
    keeper.begin()
    while not keeper.shutdown.over:
        try:
            loop.turn()
        except Exception as error:  # the app must not lose its keeper over it
            write(f"internal error: {error!r} at {_where(error)}")
            time.sleep(_PAUSE)
    return 0


def _listener(record: Record, loop: Loop) -> Listener:
    kinds = {"fd": FdListener, "unix": UnixListener, "tcp": PortListener}
    return kinds.get(record.kind, Listener)(record, loop)


def _settle(record: Record) -> Log:
    """Drop inherited descriptors, session, folder, umask and priority, also for the app; return the log."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir("/")
    os.umask(0o077)
    if os.getpriority(os.PRIO_PROCESS, 0) > 0:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
        except PermissionError:  # then the low priority of the command line stays
            pass
    # The log gets descriptor 3, which a child replaces by the app's socket when it does not need the log there.
    log = Log(record.log, record.log_max, record.uid)
    null = os.open(os.devnull, os.O_RDWR)
    for source, target in ((null, 0), (log.fd, 1), (log.fd, 2)):
        os.dup2(source, target)
    os.close(null)
    own_process.become_subreaper()
    return log


def _signals() -> int:
    """Let signals only write their number to a pipe; return the end to read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGIO):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return reader


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"
