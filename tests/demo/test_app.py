"""The web service that the demo deploys."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from zdd.demo import app
from zdd.load import Kind, Load, Spec

RUN = f"import os; os.dup2(%d, 3); os.execv({sys.executable!r}, ['python', {app.__file__!r}])"


class Service(NamedTuple):
    process: subprocess.Popen[bytes]
    path: str

    def ask(self, request: str) -> str:
        """All that is answered until the connection is closed."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(self.path)
            connection.sendall(request.replace("\n", "\r\n").encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.fixture
def service() -> Iterator[Service]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/socket"
        listener.bind(path)
        listener.listen()
        number = listener.fileno()
        with subprocess.Popen([sys.executable, "-c", RUN % number], pass_fds=[number]) as process:
            yield Service(process, path)
            process.kill()


def test_it_bears_the_load_of_the_demo(service: Service) -> None:
    kinds = (Kind(weight=10), Kind("POST", "/echo", body=1024, weight=10), Kind(path="/slow"))
    spec = Spec(f"unix:{service.path}", kinds, rate=100, seconds=2, timeout=60, websockets=2, record="X-Release")
    with Load(spec) as load:
        report = load.wait()
    assert report.total_failed == 0, report.failures[:5]
    assert report.reconnects == 0
    assert report.answered[app.RELEASE].count == report.requests


def test_it_says_its_release(service: Service) -> None:
    answer = service.ask("GET / HTTP/1.1\nHost: a\nConnection: close\n\n")
    assert "X-Release: 1\r\n" in answer
    assert answer.endswith("\r\n\r\nHello from release 1\n")


def test_it_echoes_what_is_posted_and_keeps_the_connection(service: Service) -> None:
    post = "POST /echo HTTP/1.1\nHost: a\nContent-Length: 2\n"
    answer = service.ask(f"{post}\nab{post}Connection: close\n\ncd")
    assert answer.count("HTTP/1.1 200 OK") == 2
    assert "\r\n\r\nabHTTP" in answer
    assert answer.endswith("\r\n\r\ncd")


def test_what_it_does_not_have_is_not_found(service: Service) -> None:
    assert service.ask("GET /x HTTP/1.1\nConnection: close\n\n").startswith("HTTP/1.1 404 Not Found\r\n")


def test_it_ends_in_order_at_sigterm(service: Service) -> None:
    service.ask("GET / HTTP/1.1\nConnection: close\n\n")
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0


def test_it_is_a_file_that_any_python_runs() -> None:
    assert os.access(app.__file__, os.R_OK)
    assert "zdd" not in {line.split()[1].split(".")[0] for line in imports(Path(app.__file__).read_text())}


def imports(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("import ", "from "))]
