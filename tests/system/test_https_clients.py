"""HTTPS as other programs see it: a scanner of protocols and ciphers, HTTP/2, curl."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from sslyze.scanner.models import ServerScanRequest
from sslyze.scanner.scanner import Scanner
from sslyze.server_setting import ServerNetworkConfiguration, ServerNetworkLocation

from tests.secure import context
from tests.waiting import eventually
from zdd.nginx.config import tls

from .project import version
from .test_https import AUTHORITY, HOSTS, Shop, shop, web

__all__ = ["shop"]  # a fixture

pytestmark = pytest.mark.usefixtures("each_nginx")


def test_no_weak_protocol_and_no_weak_cipher_is_accepted(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()

    found = scan(shop.https)

    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert getattr(found, f"{old}_cipher_suites").result.accepted_cipher_suites == []
    accepted = {one.cipher_suite.openssl_name for one in found.tls_1_2_cipher_suites.result.accepted_cipher_suites}
    # An ECDSA certificate has the ECDSA ones alone.
    assert accepted == {name for name in tls.CIPHERS if "ECDSA" in name}
    assert len(found.tls_1_3_cipher_suites.result.accepted_cipher_suites) == 3
    assert {one.name for one in found.elliptic_curves.result.supported_curves} == {"X25519", "secp256r1", "secp384r1"}
    assert not found.heartbleed.result.is_vulnerable_to_heartbleed
    assert not found.openssl_ccs_injection.result.is_vulnerable_to_ccs_injection
    assert not found.tls_compression.result.supports_compression
    assert not found.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos


def scan(port: int) -> Any:
    location = ServerNetworkLocation("shop.test", port, ip_address="127.0.0.1")
    names = ServerNetworkConfiguration(tls_server_name_indication="shop.test")
    scanner = Scanner()
    scanner.queue_scans([ServerScanRequest(location, network_configuration=names)])
    (result,) = scanner.get_results()
    assert result.scan_result is not None, result.connectivity_error_trace
    return result.scan_result


class Http2:
    """One connection that speaks HTTP/2, on which requests follow each other."""

    def __init__(self, port: int, host: str) -> None:
        plain = socket.create_connection(("127.0.0.1", port), 60)
        self._socket = context(AUTHORITY.pem, alpn=["h2"]).wrap_socket(plain, server_hostname=host)
        assert self._socket.selected_alpn_protocol() == "h2"
        self._host = host
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()
        self.is_leaving = False

    def ask(self, path: str = "/", body: bytes = b"") -> dict[str, str]:
        """Send a request and return the answer's headers once all of it is there."""
        return self.answer(self.send(path, body))

    def send(self, path: str, body: bytes = b"") -> int:
        """Send a request; returns its stream."""
        stream: int = self._http.get_next_available_stream_id()
        method = "POST" if body else "GET"
        pseudo = [(":method", method), (":authority", self._host), (":scheme", "https"), (":path", path)]
        self._http.send_headers(stream, pseudo, end_stream=not body)
        if body:
            self._http.send_data(stream, body, end_stream=True)
        self._socket.sendall(self._http.data_to_send())
        return stream

    def answer(self, stream: int) -> dict[str, str]:
        """Return the headers of the answer on this stream."""
        headers: dict[str, str] = {}
        while True:
            data = self._socket.recv(65536)
            assert data, "the server has closed the connection"
            is_whole = False
            for event in self._http.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = {str(name): str(value) for name, value in event.headers}
                if isinstance(event, h2.events.DataReceived):
                    self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                assert not isinstance(event, h2.events.StreamReset), event
                self.is_leaving = self.is_leaving or isinstance(event, h2.events.ConnectionTerminated)
                is_whole = is_whole or (isinstance(event, h2.events.StreamEnded) and event.stream_id == stream)
            self._socket.sendall(self._http.data_to_send())
            if is_whole:
                return headers

    def close(self) -> None:
        self._socket.close()


def test_a_connection_of_http_2_outlives_deploys(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    client = Http2(shop.https, "shop.test")
    seen = []
    for number in (2, 3):
        seen.append(client.ask()["x-release"])
        version(shop.project, number)
        shop.project.zddeploy()
        assert client.ask("/echo", b"x" * 2000)[":status"] == "200"
    seen.append(client.ask()["x-release"])
    client.close()

    assert (seen, client.is_leaving) == (["1", "2", "3"], False)


def curl(shop: Shop, host: str, path: str = "/") -> subprocess.Popen[bytes]:
    """Begin to ask by HTTP/2, with the authority's certificate; what is printed tells how it went."""
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    authority = shop.project.write("authority.pem", AUTHORITY.pem)
    where = ["--resolve", f"{host}:{shop.https}:127.0.0.1", "--cacert", str(authority), "--silent", "--show-error"]
    command = ["curl", *where, "--write-out", "%{json}", "--output", "/dev/null", f"https://{host}:{shop.https}{path}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def got(asking: subprocess.Popen[bytes]) -> tuple[int, str, int]:
    """The status, the version of HTTP, and how the certificate was found; 0 is good."""
    with asking:
        found = json.loads(asking.communicate(timeout=120)[0])
    return found["http_code"], found["http_version"], found["ssl_verify_result"]


def test_a_request_of_http_2_that_is_under_way_outlives_a_new_certificate(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    asking = curl(shop, "shop.test", "/slow/done")
    eventually(lambda: "is busy\n" in shop.project.log("*.log"))
    before = shop.serial()

    shop.issue()
    shop.project.zddeploy("--detach")
    eventually(lambda: shop.serial() != before)
    shop.project.write("done", "")

    assert got(asking) == (200, "2", 0)


@pytest.mark.parametrize("host", HOSTS)
def test_curl_takes_the_certificate_and_speaks_http_2(shop: Shop, host: str) -> None:
    shop.configure(web())
    shop.project.zddeploy()

    assert got(curl(shop, host)) == (200, "2", 0)


def test_a_handshake_without_a_name_is_refused(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()

    with (
        socket.create_connection(("127.0.0.1", shop.https), 60) as plain,
        pytest.raises(ssl.SSLError),
        context().wrap_socket(plain),
    ):
        pass
