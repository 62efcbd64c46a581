"""
The standard library's `signal` and `socket` without their enums, for keepers; and for what runs before an app starts.

With json's regular expressions, `enum` and what it imports take a third of a keeper's start, and stay in its memory for
months. Modules in C do the work; what keepers use of the Python above them is here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
else:
    import _signal as signal

    from zdd.host import light_socket as socket

__all__ = ["signal", "socket"]
