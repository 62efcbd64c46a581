"""TLS for the load's connections: a socket that behaves as a plain one does once it has shaken hands."""

from __future__ import annotations

import re
import socket
import ssl
from select import EPOLLIN, EPOLLOUT


class SecureSocket:
    """A connected, non-blocking socket that speaks TLS. What it cannot do yet raises BlockingIOError, as elsewhere."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self.fileno = connection.fileno
        self.close = connection.close

    def shake_hands(self) -> int:
        """Go on with the handshake. Return the event of epoll(7) that it awaits, 0 once it is done; raises OSError."""
        try:
            self._connection.do_handshake()
        except ssl.SSLWantReadError:
            return EPOLLIN
        except ssl.SSLWantWriteError:
            return EPOLLOUT
        return 0

    def recv(self, size: int) -> bytes:
        """Return what has arrived, nothing if the server has closed the connection in order. Raises OSError."""
        try:
            data = self._connection.recv(size)
            while data and self._connection.pending():  # of this, epoll(7) knows nothing
                data += self._connection.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        return data

    def send(self, data: memoryview) -> int:
        """Return how much was sent. Raises OSError."""
        try:
            return self._connection.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


class Secure:
    """Makes secure sockets for one host, whatever certificate the server has."""

    def __init__(self, host: str) -> None:
        self._name = re.sub(r":[0-9]*$", "", host).strip("[]")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._context.set_alpn_protocols(["http/1.1"])

    def wrap(self, connection: socket.socket) -> SecureSocket:
        """Return the connected socket as a secure one, which takes its descriptor over. A cut is an error, no end."""
        wrapped = self._context.wrap_socket(
            connection, server_hostname=self._name, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        return SecureSocket(wrapped)
