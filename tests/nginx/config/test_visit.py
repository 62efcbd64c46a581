"""The request that reaches a service as a visitor sends it, by the text alone and in nginx."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.nginx.config import parse, visit
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.visit import Unknown, Wish

from .routes import CLOSED, PLAIN, ROUTES, TLS, Closed, Route

UPSTREAMS = """
    upstream web { server unix:FOLDER/web.sock; }
    upstream other { server unix:FOLDER/web.sock; }
    server { listen unix:FOLDER/web.sock; return 200 "the web: $request_uri"; }
"""


def found(text: str, wish: Wish) -> Visit | Unknown:
    return visit.find(parse.parse(f"events {{}} http {{ {text} {UPSTREAMS} }}"), {"web": wish}, named=True)["web"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_request_is_the_one_a_visitor_sends(route: Route) -> None:
    request = found(route.text, route.wish)

    assert isinstance(request, Visit), request
    assert (request.host, request.path, str(request.address[1])) == (route.host, route.path, route.port)
    assert (request.tls, request.proxy_protocol, request.unix) == (route.tls, route.proxy_protocol, None)


@pytest.mark.parametrize("closed", CLOSED, ids=lambda closed: closed.name)
def test_where_no_request_is_known_it_is_said_why(closed: Closed) -> None:
    assert found(closed.text, closed.wish) is closed.why


def test_what_is_always_to_be_asked_for_is_asked_for_though_nginx_answers_itself() -> None:
    text = f"server {{ listen {PLAIN}; location / {{ return 502; }} location /other {{ proxy_pass http://web; }} }}"

    assert found(text, Wish("shop", "/health")) == Visit("web", ("127.0.0.1", int(PLAIN)), "shop", "/other")
    assert found(text, Wish("shop", "/health", always=True)) == Visit(
        "web", ("127.0.0.1", int(PLAIN)), "shop", "/health"
    )


def test_neither_stream_nor_mail_is_asked() -> None:
    text = """
    stream { upstream web { server 10.0.0.1:1; } server { listen 80; proxy_pass web; } }
    mail { server { listen 25; server_name web; } }
    http { upstream web { server 10.0.0.1:1; } server { listen 81; location / { proxy_pass http://web; } } }
    """

    request = visit.find(parse.parse(text), {"web": Wish()}, named=True)["web"]

    assert request == Visit("web", ("127.0.0.1", 81), "localhost", "/")
    only_stream = visit.find(parse.parse(text[: text.index("http")]), {"web": Wish()}, named=True)
    assert only_stream == {"web": Unknown.NOWHERE}


def test_a_server_on_a_socket_alone_is_asked_there() -> None:
    request = found("server { listen unix:/run/x.sock; location / { proxy_pass http://web; } }", Wish())

    assert request == Visit("web", ("", 0), "localhost", "/", unix="/run/x.sock")


def test_without_a_listen_it_is_port_80_or_8000_where_nginx_is_not_root_s() -> None:
    text = parse.parse("http { server { location / { proxy_pass http://web; } } }")

    for port in (80, 8000):
        assert visit.find(text, {"web": Wish()}, True, port)["web"] == Visit(
            "web", ("127.0.0.1", port), "localhost", "/"
        )


def certificate(folder: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout key.pem"
    subprocess.run([*command.split(), "-out", "cert.pem"], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificate(tmp_path)
    (tmp_path / "none").write_text("")
    (tmp_path / "html").mkdir()
    return tmp_path


@contextlib.contextmanager
def running(program: str, folder: Path, text: str) -> Iterator[None]:
    temporary = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"pid pid; error_log error.log; daemon off; master_process off; events {{}}\n"
        f"http {{ access_log off; {temporary} {text} {UPSTREAMS.replace('FOLDER', str(folder))} }}"
    )
    command = [program, "-p", str(folder), "-c", "nginx.conf"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: (folder / "web.sock").exists() or process.poll() is not None)
            assert process.poll() is None, (folder / "error.log").read_text()
            yield
        finally:
            process.terminate()


def asked(request: Visit) -> bytes:
    eventually(lambda: _connects(request.address))
    with socket.create_connection(request.address, 10) as plain:
        if request.proxy_protocol:
            plain.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(plain, server_hostname=request.host) if request.tls else plain
        line = f"GET {request.path} HTTP/1.1\r\nHost: {request.host}\r\nConnection: close\r\n\r\n"
        connection.sendall(line.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.close()
        return answer


def _connects(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, 10):
        return True
    return False


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_in_nginx_the_request_reaches_the_service(program: str, folder: Path, route: Route) -> None:
    text = route.text.replace(PLAIN, str(free_port())).replace(TLS, str(free_port()))
    request = found(text, route.wish)
    assert isinstance(request, Visit)

    with running(program, folder, text):
        answer = asked(request)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"the web: /" in answer
