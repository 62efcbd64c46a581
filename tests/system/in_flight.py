"""
Kinds of traffic, each a generator: up to its `yield` it has begun and is half done, after it it is brought to its end.

What it returns is the version that has answered, once every byte was seen to be right. `go` is a file for which the
apps wait in the middle.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Generator, Iterator
from contextlib import closing

import grpc
import h2.config
import h2.connection
import h2.events
from websockets.sync.client import connect as connect_websocket

from tests.waiting import eventually

from .project import Project

Conversation = Generator[None, None, str]
PATIENCE = 30.0
GRPC = """\
location /shop.Shop/ {
    grpc_pass grpc://rpc;
    grpc_read_timeout 1h;
    client_body_timeout 1h;
    send_timeout 1h;
    client_max_body_size 0;
}
"""  # as docs/guides/grpc.md has it


def end(conversation: Conversation) -> str:
    """Bring it to its end; returns the version that has answered."""
    while True:
        try:
            next(conversation)
        except StopIteration as over:
            return str(over.value)


def half_of(version: str) -> bytes:
    """What /half answers, whole."""
    return b"".join(b"%06d of version %s\n" % (number, version.encode()) for number in range(50_000))


def download(project: Project) -> Conversation:
    """A long answer with a Content-Length."""
    with closing(http.client.HTTPConnection("127.0.0.1", project.port, PATIENCE)) as connection:
        connection.request("GET", "/half/go")
        answer = connection.getresponse()
        version = answer.headers["X-Release"]
        begun = answer.read(1000)
        yield
        assert begun + answer.read() == half_of(version)
    return version


def events(project: Project) -> Conversation:
    """Server-sent events: none is missing, none comes twice."""
    with closing(http.client.HTTPConnection("127.0.0.1", project.port, PATIENCE)) as connection:
        connection.request("GET", "/events/go", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        version = answer.headers["X-Release"]
        begun = b"".join(answer.readline() for _ in range(3)) if not (project.folder / "go").exists() else b""
        yield
        seen = (begun + answer.read()).decode()
        count = seen.count("id: ")
        wanted = [f"id: {number}\ndata: {version}\n\n" for number in range(count)]
        assert seen == "".join([*wanted, f"event: bye\ndata: {version}\n\n"])
    return version


def http_1_0(project: Project) -> Conversation:
    """A client of 1996: no Host, and the end of the connection is that of the answer."""
    with socket.create_connection(("127.0.0.1", project.port), PATIENCE) as connection:
        connection.sendall(b"GET /half/go HTTP/1.0\r\n\r\n")
        begun = connection.recv(1000)
        yield
        head, _, body = (begun + to_the_end(connection)).partition(b"\r\n\r\n")
        version = header(head, "x-release")
        assert b"transfer-encoding" not in head.lower()
        assert body == half_of(version)
    return version


def websocket(project: Project) -> Conversation:
    """Messages that are echoed; then it is closed in order."""
    with connect_websocket(f"ws://127.0.0.1:{project.port}/ws") as connection:
        assert connection.response
        version = connection.response.headers["X-Release"]
        for number in range(2):
            connection.send(f"message {number}")
            assert connection.recv(PATIENCE) == f"message {number}"
            if number == 0:
                yield
    assert connection.close_code == 1000
    return version


def upload(project: Project) -> Conversation:
    """A body that comes slowly, while nginx passes on what it has."""
    return _upload(project, "Content-Length: 100000", b"a" * 60_000, b"b" * 40_000)


def chunks(project: Project) -> Conversation:
    """A body of which nobody knows how long it will be, with trailers behind it."""
    return _upload(
        project,
        "Transfer-Encoding: chunked\r\nTrailer: X-Checksum",
        b"ea60\r\n" + b"a" * 60_000 + b"\r\n9c3f\r\n" + b"b" * 20_000,
        b"b" * 19_999 + b"\r\n1\r\nb\r\n0\r\nX-Checksum: 4711\r\n\r\n",
    )


def _upload(project: Project, head: str, first: bytes, second: bytes) -> Conversation:
    before = project.log("web-*.log").count("is reading")
    with socket.create_connection(("127.0.0.1", project.port), PATIENCE) as connection:
        connection.sendall(f"POST /echo HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{head}\r\n\r\n".encode() + first)
        eventually(lambda: project.log("web-*.log").count("is reading") > before)
        yield
        connection.sendall(second)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.read() == b"a" * 60_000 + b"b" * 40_000
    return str(answer.headers["X-Release"])


def pipeline(project: Project) -> Conversation:
    """Three requests sent at once: the answers come one after another, each of the version of its time."""
    with socket.create_connection(("127.0.0.1", project.port), PATIENCE) as connection:
        requests = [b"GET /half/go HTTP/1.1\r\nHost: shop\r\n", b"GET / HTTP/1.1\r\nHost: shop\r\n"]
        connection.sendall(b"\r\n".join([*requests, requests[1] + b"Connection: close\r\n", b""]))
        begun = connection.recv(1000)
        yield
        head, _, rest = (begun + to_the_end(connection)).partition(b"\r\n\r\n")
        version = header(head, "x-release")
        whole = half_of(version)
        assert rest.startswith(whole)
        answers = rest[len(whole) :].split(b"HTTP/1.1 200 OK\r\n")
        assert answers[0] == b""
        later = {header(answer, "x-release") for answer in answers[1:]}
        assert len(answers) == 3
        assert later == {(project.folder / "VERSION").read_text()}
    return version


def http_2(project: Project) -> Conversation:
    """Streams of one connection: one stays with the old version, others begun after it go to the new one."""
    with closing(Http2(project)) as client:
        slow = client.ask("/half/go")
        client.read_until(lambda: len(client.bodies[slow]) > 1000)
        yield
        quick = client.ask("/")
        client.read_until(lambda: quick in client.ended)
        assert client.bodies[quick] == b"version %s\n" % (project.folder / "VERSION").read_bytes()
        project.write("go", "")
        client.read_until(lambda: slow in client.ended)
        version = client.heads[slow]["x-release"]
        assert client.bodies[slow] == half_of(version)
    return version


def rpc(project: Project) -> Conversation:
    """gRPC: a stream both ways stays with the old version and ends with its trailers; other calls go to the new one."""
    with grpc.insecure_channel(f"127.0.0.1:{http_2_port(project)}") as channel:
        going = True

        def requests() -> Iterator[bytes]:
            yield b"first"
            eventually(lambda: not going)
            yield b"second"

        call = channel.stream_stream("/shop.Shop/Echo")(requests(), timeout=60)
        first = next(call)
        yield
        unary = channel.unary_unary("/shop.Shop/Version")
        assert unary(b"", timeout=PATIENCE) == (project.folder / "VERSION").read_bytes()
        much = channel.stream_unary("/shop.Shop/Sum")(iter([b"x" * 1_000_000] * 3), timeout=PATIENCE)
        assert much.endswith(b" 3000000"), "more than nginx takes of a request by default"
        going = False
        assert next(call) == first.replace(b"first", b"second")
        assert list(call) == []
        assert call.code() == grpc.StatusCode.OK
        version = dict(call.trailing_metadata())["x-release"]
        assert first == f"{version} first".encode()
    return str(version)


class Http2:
    """A client that speaks HTTP/2 from its first byte on (RFC 9113)."""

    def __init__(self, project: Project) -> None:
        self.socket = socket.create_connection(("127.0.0.1", http_2_port(project)), PATIENCE)
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def ask(self, path: str) -> int:
        """Send a GET; returns its stream."""
        stream: int = self.state.get_next_available_stream_id()
        head = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "shop")]
        self.state.send_headers(stream, head, end_stream=True)
        self.bodies[stream] = b""
        self.socket.sendall(self.state.data_to_send())
        return stream

    def read_until(self, done: object) -> None:
        """Take in what comes until it is enough."""
        assert callable(done)
        while not done():
            data = self.socket.recv(65536)
            assert data, "nginx has closed the connection"
            for event in self.state.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    self.heads[event.stream_id] = dict(event.headers)  # type: ignore[arg-type]  # text, as configured
                elif isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                    self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
                assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated)
            self.socket.sendall(self.state.data_to_send())

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def http_2_port(project: Project) -> int:
    """The port of nginx.conf.template's second server."""
    text = (project.folder / "nginx.conf.template").read_text()
    return int(text.partition(" http2;")[0].rpartition(":")[2])


def to_the_end(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def header(head: bytes, name: str) -> str:
    """The value of a field of an answer's head."""
    fields = (line.partition(":") for line in head.decode().split("\r\n"))
    return next(value.strip() for field, _, value in fields if field.lower() == name)
