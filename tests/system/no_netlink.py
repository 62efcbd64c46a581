"""
Run a program that may not open netlink sockets, as in a unit whose RestrictAddressFamilies= lacks AF_NETLINK.

Usage: no_netlink.py PROGRAM [ARGUMENT]...
"""

import ctypes
import os
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}[os.uname().machine]  # the number of the system call
AF_NETLINK, EAFNOSUPPORT = 16, 97
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # seccomp(2), in the terms of linux/bpf_common.h
ERRNO, ALLOW = 0x0005_0000, 0x7FFF_0000

FILTER = [
    (LOAD, 0, 0, 0),
    (IF_EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, 16),  # its first argument
    (IF_EQUAL, 0, 1, AF_NETLINK),
    (RETURN, 0, 0, ERRNO | EAFNOSUPPORT),
    (RETURN, 0, 0, ALLOW),
]

instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in FILTER))
program = ctypes.create_string_buffer(struct.pack("@HP", len(FILTER), ctypes.addressof(instructions)))
libc = ctypes.CDLL(None)
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
