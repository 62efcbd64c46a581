"""gRPC as its clients see it: by HTTPS, through a rollback, and when a stream outlives drain_timeout."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from time import sleep

import grpc
import pytest

from tests.waiting import eventually

from .project import Project, service, version
from .test_grpc import PATIENCE, RPC, Callers, channel, newer
from .test_https import AUTHORITY, HOSTS, Shop

SHORT = {"stop_timeout": "500ms"}  # the server would wait for 5 s for what is under way


def test_by_https_no_call_of_any_kind_is_lost_through_deploys_and_a_rollback(project: Project) -> None:
    shop = Shop(project)
    shop.configure(service("rpc", **RPC | {"keep_warm": "5m"}, host=HOSTS))
    project.zddeploy()

    def connect() -> grpc.Channel:
        known = grpc.ssl_channel_credentials(AUTHORITY.pem.encode())
        return grpc.secure_channel(
            f"127.0.0.1:{shop.https}",
            known,
            options=[("grpc.enable_retries", 0), ("grpc.ssl_target_name_override", HOSTS[0])],
        )

    with Callers(connect) as callers:
        for number in (2, 3):
            version(project, number)
            assert "not proved" not in project.zddeploy().stdout
            eventually(lambda: b"%d" % number in callers.versions)  # noqa: B023  # asked before it is another
        callers.versions.clear()
        project.zddeploy("rollback")
        eventually(lambda: b"2" in callers.versions)

    assert callers.failed == []


@pytest.mark.parametrize(
    ("how", "code"),
    [({}, grpc.StatusCode.UNAVAILABLE), (SHORT, grpc.StatusCode.INTERNAL)],
    ids=["the server ends it", "the server is killed"],
)
def test_a_stream_that_outlives_drain_timeout_is_told_so(
    project: Project, how: dict[str, str], code: grpc.StatusCode
) -> None:
    """As the guide says; the next call on the same connection is answered by the new version."""
    newer(project, service("rpc", **RPC | how, drain_timeout="500ms"))
    project.zddeploy()

    over = threading.Event()

    def endless() -> Iterator[bytes]:
        yield b"first"
        over.wait(PATIENCE)

    with channel(project) as own:
        stream = own.stream_stream("/shop.Shop/Echo")(endless())
        assert next(stream) == b"1 first"
        version(project, 2)
        said = project.zddeploy("--strict-drain", code=4).stdout
        with pytest.raises(grpc.RpcError) as caught:
            list(stream)
        over.set()
        answer = own.unary_unary("/shop.Shop/Version")(b"", timeout=PATIENCE)

    assert caught.value.code() == code
    assert answer == b"2"
    assert re.search(r"1 connection was cut", said)


def test_a_client_that_is_slow_to_read_is_not_cut(project: Project) -> None:
    """More than the buffers on the way hold; a request of HTTP is cut after nginx's send_timeout, here a second."""
    project.write("own.conf", "send_timeout 1s;\n")
    newer(project, service("rpc", **RPC), more='server_include = "own.conf"\n')
    project.zddeploy()

    def words() -> Iterator[bytes]:
        yield from [b"x" * 100_000] * 100

    with channel(project) as own:
        stream = own.stream_stream("/shop.Shop/Echo")(words(), timeout=PATIENCE)
        next(stream)
        sleep(3)
        assert len(list(stream)) == 99
