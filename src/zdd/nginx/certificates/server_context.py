"""A certificate and its key as a server has them: what OpenSSL says of the two."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zdd.nginx.certificates.store import Pair

if TYPE_CHECKING:
    import ssl


class Encrypted(Exception):  # noqa: N818 -- what the key is
    """The key asks for a password."""


def made(pair: Pair) -> ssl.SSLContext:
    """Return a server's context with this pair. Raises ssl.SSLError if OpenSSL cannot take it, and Encrypted."""
    import ssl  # here, because only a new certificate is compared with its key

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _in_memory(pair.certificate) as one, _in_memory(pair.key) as other:
        context.load_cert_chain(one, other, _no_password)
    return context


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Yield the path of a file with this text that is on no disk: Python's ssl takes keys from files alone."""
    with os.fdopen(os.memfd_create("pem"), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _no_password() -> str:
    raise Encrypted
