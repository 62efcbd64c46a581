"""gRPC through zdd's own nginx: no call is lost, and what cannot work is refused beforehand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import grpc
import pytest

from tests.waiting import eventually
from zdd.nginx.process import binary

from ..pages import DOCS, Page
from .in_flight import GRPC
from .project import BIN, DEPLOYS, PLAIN, Project, configure, service, version
from .typist import Typist

RPC = {"run": "python rpc.py {socket}", "socket": "unix", "protocol": "grpc", "keep_warm": "0s"}
PATIENCE = 60.0


def newer(project: Project, *services: str, more: str = "") -> None:
    """Behind an nginx that speaks HTTP/2 beside HTTP/1.1 without TLS."""
    configure(project, *services, nginx=f'binary = "{binary.packaged()}"\n{more}')


def channel(project: Project) -> grpc.Channel:
    return grpc.insecure_channel(f"127.0.0.1:{project.port}", options=[("grpc.enable_retries", 0)])


class Callers:
    """Some clients, each with one connection: they make calls of one of the four kinds until they are told to end."""

    def __init__(self, connect: Callable[[], grpc.Channel], count: int = 8) -> None:
        self._connect = connect
        self.failed: list[str] = []
        self.calls = 0
        self.versions: set[bytes] = set()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        kind = (self._ask, self._talk, self._listen, self._tell)[number % 4]
        with self._connect() as own:
            while not self._over.is_set():
                try:
                    kind(own)
                    self.calls += 1
                except (grpc.RpcError, AssertionError) as error:
                    self.failed.append(repr(error))

    def _ask(self, own: grpc.Channel) -> None:
        self.versions.add(own.unary_unary("/shop.Shop/Version")(b"", timeout=PATIENCE))
        sleep(0.005)

    def _talk(self, own: grpc.Channel) -> None:
        all_of_one_version(own.stream_stream("/shop.Shop/Echo")(words(), timeout=PATIENCE))

    def _listen(self, own: grpc.Channel) -> None:
        all_of_one_version(own.unary_stream("/shop.Shop/Count")(b"10", timeout=PATIENCE))

    def _tell(self, own: grpc.Channel) -> None:
        assert own.stream_unary("/shop.Shop/Sum")(words(), timeout=PATIENCE).split()[1] == b"10"


def words() -> Iterator[bytes]:
    for number in range(10):
        sleep(0.02)
        yield b"%d" % number


def all_of_one_version(stream: Iterable[bytes]) -> None:
    heard = list(stream)
    assert len({answer.split()[0] for answer in heard}) == 1, heard
    assert [answer.split()[1] for answer in heard] == [b"%d" % number for number in range(10)]


def test_no_call_and_no_stream_is_lost_over_many_deploys(project: Project) -> None:
    newer(project, service("rpc", **RPC))
    project.zddeploy()

    with Callers(partial(channel, project)) as callers:
        for number in range(2, DEPLOYS + 2):
            version(project, number)
            said = project.zddeploy().stdout
            assert "not proved" not in said
            assert "unchanged" in said

    assert callers.failed == []
    assert callers.calls > 10 * DEPLOYS
    assert {b"%d" % number for number in range(2, DEPLOYS + 1)} <= callers.versions


def test_it_shares_a_port_with_services_that_speak_http_1(project: Project) -> None:
    newer(project, service("rpc", **RPC, path="/shop.Shop"), service("web", **PLAIN))
    said = project.zddeploy().stdout

    assert "not proved" not in said
    assert "X-Release: 1" in project.get()
    with channel(project) as own:
        assert own.unary_unary("/shop.Shop/Version")(b"", timeout=PATIENCE) == b"1"
        with pytest.raises(grpc.RpcError) as caught:  # the web service's own answer
            own.unary_unary("/other.Other/Version")(b"", timeout=PATIENCE)
    assert caught.value.code() != grpc.StatusCode.OK
    eventually(lambda: project.instances("rpc")["rpc-1"]["connections"] == 0)


@pytest.mark.parametrize(
    ("health", "words"), [("2", "says NOT_SERVING"), ("UNAVAILABLE", "was answered UNAVAILABLE (as it was told")]
)
def test_a_version_that_is_not_well_by_its_own_words_takes_no_call(project: Project, health: str, words: str) -> None:
    newer(project, service("rpc", **RPC, env={"HEALTH": "1"}))
    assert "grpc.health" not in project.zddeploy().stdout
    version(project, 2)
    project.replace("deploy.toml", 'HEALTH = "1"', f'HEALTH = "{health}"')

    refused = project.zddeploy(code=1).stderr

    assert f"grpc.health.v1.Health/Check {words}" in refused
    with channel(project) as own:
        assert own.unary_unary("/shop.Shop/Version")(b"", timeout=PATIENCE) == b"1"


def test_a_server_without_a_health_service_serves_with_a_notice(project: Project) -> None:
    newer(project, service("rpc", **RPC))

    assert "a call was answered UNIMPLEMENTED, taken as healthy" in project.zddeploy().stdout
    assert "no health_path" not in project.zddeploy("check", code=None).stdout


def test_grpc_without_protocol_is_refused_with_the_line_to_write(project: Project) -> None:
    """With a health_command it is well, and only the gate sees that nginx cannot speak with it."""
    silent = {key: value for key, value in RPC.items() if key != "protocol"}
    newer(project, service("rpc", **silent, health_command="python rpc.py --ask $ZDD_SOCKET"))

    refused = project.zddeploy(code=1).stderr

    assert 'set protocol = "grpc"' in refused
    assert "worker user" not in refused
    newer(project, service("rpc", **silent, start_timeout="2s"))
    assert 'protocol = "grpc"' in project.zddeploy(code=1).stderr


def test_an_app_that_speaks_http_1_is_told_to_leave_the_key_out(project: Project) -> None:
    newer(project, service("web", **PLAIN, protocol="grpc", start_timeout="2s"))

    assert "it speaks HTTP/1.1: leave protocol out" in project.zddeploy(code=1).stderr


def test_an_nginx_that_could_not_be_called_is_refused_beforehand(project: Project) -> None:
    old = project.write("old-nginx", "#!/bin/sh\necho nginx version: nginx/1.22.1 >&2\n")
    old.chmod(0o755)
    configure(project, service("rpc", **RPC), nginx=f'binary = "{old}"\n')

    refused = project.zddeploy(code=2).stderr

    assert "rpc: nginx 1.22.1 speaks HTTP/2 without TLS only on ports that refuse HTTP/1.1" in refused
    assert "use nginx 1.25.1 or newer" in refused
    assert not list(Path(project.runtime).glob("instances/*"))


def test_a_stream_outlives_proxy_read_timeout(project: Project) -> None:
    """Nothing is said for longer, in either direction; a request of HTTP would be answered 504."""
    newer(project, service("rpc", **RPC), more='proxy_read_timeout = "1s"\n')
    project.replace("deploy.toml", 'protocol = "grpc"', 'protocol = "grpc"\nhold_max = "500ms"')
    project.zddeploy()

    def words() -> Iterator[bytes]:
        yield b"first"
        until = monotonic() + 2.5
        while monotonic() < until:
            sleep(0.1)
        yield b"second"

    with channel(project) as own:
        heard = list(own.stream_stream("/shop.Shop/Echo")(words(), timeout=PATIENCE))

    assert heard == [b"1 first", b"1 second"]


def test_the_guide_is_followed(project: Project) -> None:
    toml, server, lines = Page(DOCS / "guides/grpc.md").blocks
    assert lines.text == GRPC
    typist = Typist(project, "shop")
    (typist.folder / ".venv").symlink_to(BIN.parent)
    listen = 'listen = "127.0.0.1:8080"\n'
    assert listen in toml.text
    typist.write(toml._replace(text=toml.text.replace(listen, f'{listen}binary = "{binary.packaged()}"\n')))
    typist.write(server)

    try:
        assert "shop serves deploy 1" in typist.type("zddeploy")
        with channel(project) as own:
            assert own.unary_unary("/shop.Shop/Hello")(b"you", timeout=PATIENCE) == b"hello you"
    finally:
        typist.type("zddeploy down")
