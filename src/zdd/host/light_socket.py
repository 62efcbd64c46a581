"""What keepers use of `socket`, under the same names: numbers where `socket` has enums."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import *  # noqa: F403
else:
    import _socket
    from _socket import *  # noqa: F403  (as `socket` does)

    class socket(_socket.socket):  # noqa: N801  (its name there)
        """A socket with what Python code adds to it."""

        def __enter__(self) -> socket:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def accept(self) -> tuple[socket, object]:
            """Return a connection, which blocks, and the peer's address."""
            fd, address = self._accept()
            return socket(self.family, self.type, self.proto, fileno=fd), address
