"""Whether an app still has the socket that it was given, by processes that have it and others that do not."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zdd.host.process import Process
from zdd.instances.health.lost_socket import LostSocket


@pytest.fixture
def given(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/keep")
        listener.listen()
        yield listener


@contextmanager
def app(*descriptors: int) -> Iterator[Process]:
    with subprocess.Popen(["sleep", "600"], pass_fds=descriptors) as child:
        try:
            yield Process.find(child.pid) or Process(child.pid, 0)
        finally:
            child.kill()


def test_who_has_closed_it_is_sure_to_after_two_looks(tmp_path: Path, given: socket.socket) -> None:
    lost = LostSocket(str(tmp_path), 0.0)

    with app() as without:
        looks = [lost.look(ourselves(), without, now) for now in (0.5, 1.0, 1.5, 2.0)]

    assert looks == [False, False, False, True]


def test_any_process_of_the_app_may_have_it(tmp_path: Path, given: socket.socket) -> None:
    lost = LostSocket(str(tmp_path), 0.0)

    with app() as launcher, app(given.fileno()) as server:
        assert not lost.look(ourselves(), server, 1.0)
        assert not any(lost.look(ourselves(), launcher, now) for now in (2.0, 3.0, 4.0))


def test_one_look_may_miss_a_process_that_hands_it_on(tmp_path: Path, given: socket.socket) -> None:
    lost = LostSocket(str(tmp_path), 0.0)

    with app() as launcher:
        assert not lost.look(ourselves(), launcher, 1.0)
        with app(given.fileno()):
            assert not lost.look(ourselves(), launcher, 2.0)
        assert not lost.look(ourselves(), launcher, 3.0)
        assert lost.look(ourselves(), launcher, 4.0)


def test_what_is_not_known_yet_is_not_lost(tmp_path: Path) -> None:
    lost = LostSocket(str(tmp_path), 0.0)

    with app() as any_app:
        assert not any(lost.look(keeper, any_app, now) for keeper in (None, ourselves()) for now in (1.0, 2.0, 3.0))


def ourselves() -> Process:
    """The keeper: the processes of the app are below it."""
    return Process.find(os.getpid()) or Process(0, 0)
