"""A duplicate of another process's descriptor (pidfd_getfd(2)), such as a socket that it listens on."""

from __future__ import annotations

import os

_SYS_PIDFD_GETFD = 438  # the same on all architectures (Linux 5.6)


def duplicate(pidfd: int, number: int) -> int:
    """
    Return our own descriptor, close-on-exec, for what is behind descriptor `number` of the process.

    Raises OSError if the kernel forbids it: the process is another user's, or ptrace is restricted.
    """
    import ctypes  # here, because it is seldom needed, and large

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.syscall(_SYS_PIDFD_GETFD, pidfd, number, 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor
