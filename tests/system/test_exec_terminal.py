"""exec by root, at a terminal, into a service of another user: he gets a terminal, and it is not root's."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

from .project import BIN, Project, configure, service
from .stranger import MALLORY, PYTHON, needs_root

pytestmark = needs_root

# What he finds: the terminals of his streams and of his session, his descriptors, and whether he could type.
LOOK = """
import fcntl, json, os, sys, termios
def terminal(fd):
    try:
        return os.ttyname(fd)
    except OSError:
        return None
def device(fd):
    return os.fstat(fd).st_rdev if os.isatty(fd) else None
try:
    own = os.open("/dev/tty", os.O_RDWR)
except OSError:
    own = None
found = [int(name) for name in os.listdir("/proc/self/fd")]
streams = [fd for fd in (0, 1, 2, own) if fd is not None]
for fd in streams:
    for letter in "touch /tmp/typed\\n":
        try:
            fcntl.ioctl(fd, termios.TIOCSTI, letter.encode())
        except OSError:
            pass
session = os.getsid(0)
extra = [fd for fd in found if fd > 2 and fd != own and os.path.exists(f"/proc/self/fd/{fd}")]
print("FOUND" + json.dumps({
    "terminals": [terminal(fd) for fd in (0, 1, 2)], "devices": [device(fd) for fd in (0, 1, 2)],
    "session": session, "has_tty": own is not None, "extra": extra, "uid": os.getuid(),
}) + "END")
"""
LOOK_AT_IT = [PYTHON, "-I", "-S", "-c", LOOK]


class Desk:
    """Root's terminal, and what he runs there as his shell would: in its session, in the foreground."""

    def __init__(self) -> None:
        self.screen, self.terminal = os.openpty()
        self.name = os.ttyname(self.terminal)
        self.shown = b""
        self.resize(24, 80)
        self.modes = termios.tcgetattr(self.terminal)
        os.set_blocking(self.screen, False)

    def run(self, project: Project, *words: str, inherited: int = 2, **streams: Any) -> subprocess.Popen[bytes]:
        """Start `zddeploy exec web -- ...`; streams that are not given are the terminal."""

        def take_terminal() -> None:
            fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)

        terminal = dict.fromkeys(("stdin", "stdout", "stderr"), self.terminal)
        streams = terminal | streams
        return subprocess.Popen(
            [BIN / "zddeploy", "exec", "web", "--", *words],
            cwd=project.folder,
            start_new_session=True,
            preexec_fn=take_terminal,
            stdin=streams["stdin"],
            stdout=streams["stdout"],
            stderr=streams["stderr"],
            pass_fds=[inherited],
        )

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def shows(self, text: str) -> bool:
        try:
            while data := os.read(self.screen, 65536):
                self.shown += data
        except OSError:
            pass
        return text in self.shown.decode()

    def typed_by_itself(self) -> bytes:
        """What a shell would read there now, though nobody has typed."""
        modes = termios.tcgetattr(self.terminal)
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(self.terminal, termios.TCSANOW, modes)
        os.set_blocking(self.terminal, False)
        try:
            return os.read(self.terminal, 4096)
        except BlockingIOError:
            return b""


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    os.close(made.screen)
    os.close(made.terminal)


@pytest.fixture
def web(project: Project) -> Project:
    configure(project, service("web", run=f"{PYTHON} -S plain.py {{fd}}", user=MALLORY.pw_name))
    project.zddeploy()
    return project


def found(shown: str) -> dict[str, Any]:
    text = shown.partition("FOUND")[2].partition("END")[0]
    parsed: dict[str, Any] = json.loads(text.replace("\r", "").replace("\n", ""))
    return parsed


def test_its_terminal_is_not_ours_and_nothing_is_typed_into_ours(web: Project, desk: Desk) -> None:
    with desk.run(web, *LOOK_AT_IT) as run:
        eventually(lambda: desk.shows("END"))
        assert run.wait() == 0

    there = found(desk.shown.decode())
    ours = os.fstat(desk.terminal).st_rdev
    assert there["uid"] == MALLORY.pw_uid
    assert there["has_tty"]
    assert None not in there["devices"]
    assert ours not in there["devices"]
    assert len(set(there["terminals"])) == 1  # which he may open anew by its name
    assert desk.typed_by_itself() == b""


@pytest.mark.parametrize("which", ["stdin", "stdout", "stderr"])
def test_none_of_its_streams_is_our_terminal_where_others_are_files(
    web: Project, desk: Desk, which: str, tmp_path: Path
) -> None:
    """A pipe or a file is passed on as it is."""
    script = LOOK.replace("print(", f"open({str(web.folder / 'told')!r}, 'w').write(")
    (web.folder / "told").touch()
    (web.folder / "told").chmod(0o666)
    with open(tmp_path / "file", "w+b") as file:
        streams: dict[str, Any] = {name: file for name in ("stdin", "stdout", "stderr") if name != which}
        with desk.run(web, PYTHON, "-I", "-S", "-c", script, **streams) as run:
            assert run.wait() == 0

    there = found((web.folder / "told").read_text())
    assert os.fstat(desk.terminal).st_rdev not in there["devices"]
    assert [device is not None for device in there["devices"]].count(True) == 1
    assert desk.typed_by_itself() == b""


def test_without_any_terminal_among_its_streams_it_cannot_reach_the_one_of_our_session(
    web: Project, desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("from a file")
    for command, out in ((LOOK_AT_IT, tmp_path / "found"), (["cat"], tmp_path / "copied")):
        with open(tmp_path / "in") as given, open(out, "wb") as into:
            run = desk.run(web, *command, stdin=given, stdout=into, stderr=into)
        assert run.wait() == 0

    there = found((tmp_path / "found").read_text())
    assert (there["has_tty"], there["devices"]) == (False, [None] * 3)
    assert desk.typed_by_itself() == b""
    assert (tmp_path / "copied").read_text() == "from a file"


def test_it_is_typed_at_as_at_ours(web: Project, desk: Desk) -> None:
    script = "stty size; read line; echo got $line; trap 'stty size' WINCH; echo ready; read line; exit 7"
    with desk.run(web, "sh", "-c", script) as run:
        eventually(lambda: desk.shows("24 80\r\n"))
        desk.type("hello\r")
        eventually(lambda: desk.shows("got hello\r\n"))
        eventually(lambda: desk.shows("ready"))
        desk.resize(40, 100)
        eventually(lambda: desk.shows("40 100\r\n"))
        desk.type("\r")

        assert run.wait() == 7

    assert termios.tcgetattr(desk.terminal) == desk.modes


def test_ctrl_c_ends_it_and_we_end_by_the_same_signal(web: Project, desk: Desk) -> None:
    with desk.run(web, "sh", "-c", "echo ready; sleep 600") as run:
        eventually(lambda: desk.shows("ready"))
        desk.type("\x03")

        assert run.wait() == -signal.SIGINT

    assert termios.tcgetattr(desk.terminal) == desk.modes


def test_ctrl_c_ends_it_between_pipes_too(web: Project, desk: Desk) -> None:
    pipe = subprocess.PIPE
    with desk.run(web, "sh", "-c", "echo ready; exec sleep 600", stdin=pipe, stdout=pipe) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        desk.type("\x03")

        assert run.wait() == -signal.SIGINT


def test_a_signal_that_we_are_sent_is_passed_on(web: Project, desk: Desk) -> None:
    with desk.run(web, "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done") as run:
        eventually(lambda: desk.shows("ready"))
        run.send_signal(signal.SIGTERM)

        assert run.wait() == 9


def test_all_that_it_prints_is_shown_however_much(web: Project, desk: Desk) -> None:
    with desk.run(web, "sh", "-c", "seq 1 20000; echo done", stdin=subprocess.DEVNULL) as run:
        eventually(lambda: desk.shows("done\r"))
        assert run.wait() == 0

    numbers = [int(word) for word in desk.shown.decode().split() if word.isdigit()]
    assert numbers == list(range(1, 20001))


def test_no_descriptor_of_ours_is_inherited(web: Project, desk: Desk, tmp_path: Path) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)  # as a shell's `3<secret` has it
    with desk.run(web, *LOOK_AT_IT, inherited=secret) as run:
        os.close(secret)
        eventually(lambda: desk.shows("END"))
        assert run.wait() == 0

    assert found(desk.shown.decode())["extra"] == []


def test_a_hook_of_its_user_has_no_terminal_and_no_descriptor_of_ours(project: Project, desk: Desk) -> None:
    """Neither has its health_command, nor its app."""
    project.write("look.py", LOOK)
    look = f"{PYTHON} -I -S look.py"
    run = f"{PYTHON} -S plain.py {{fd}}"
    configure(project, service("web", run=run, user=MALLORY.pw_name, before_start=look, health_command=look))
    with (
        open(project.folder / "deploy.toml") as secret,
        subprocess.Popen(
            [BIN / "zddeploy"],
            cwd=project.folder,
            stdin=desk.terminal,
            stdout=desk.terminal,
            stderr=desk.terminal,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(desk.terminal, termios.TIOCSCTTY, 0),
            pass_fds=[secret.fileno()],
        ) as deploy,
    ):
        eventually(lambda: desk.shows("\n") and deploy.poll() is not None)
        assert deploy.wait() == 0, desk.shown

    there = found(project.log("deploy-1.log"))
    assert (there["uid"], there["has_tty"], there["extra"]) == (MALLORY.pw_uid, False, [])
    assert there["devices"] == [None] * 3
    assert desk.typed_by_itself() == b""
