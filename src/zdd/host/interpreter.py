"""Programs that are there and cannot be run, since what they lead to is not."""

from __future__ import annotations

import os

WINDOWS = "save it with Unix line ends (dos2unix; eol=lf in .gitattributes)"
"""What to do about a script whose first line ends with a carriage return."""
_LONGEST = 4096  # bytes of a first line; the kernel reads 256 (execve(2))


def is_script(program: str) -> bool:
    """Return whether another program interprets this one, by its first line (execve(2))."""
    return _first_line(program).startswith(b"#!")


def missing(program: str) -> str | None:
    """
    Say which file a program lacks: the target of its link, or the interpreter that its first line names; else None.

    A release's own Python is a link to the system's, which an upgrade removes. A carriage return at the end of the
    first line is a part of the name for the kernel.
    """
    if os.path.islink(program) and not os.path.exists(program):
        return f"it leads to {os.path.realpath(program)}, which does not exist"
    line = _first_line(program)
    if line.startswith(b"#!") and line.endswith(b"\r\n"):
        return f"its first line ends as on Windows: {WINDOWS}"
    interpreter = os.fsdecode((line[2:].split() or [b""])[0]) if line.startswith(b"#!") else ""
    if not interpreter.startswith("/") or os.path.exists(interpreter):
        return None
    leads = f", which leads to {os.path.realpath(interpreter)}" if os.path.islink(interpreter) else ""
    return f"its first line names {interpreter}{leads}, which does not exist"


def why_not_found(program: str, path: str) -> str | None:
    """Say why execvp(3) does not find a program that is there, perhaps in a folder of `path`; None if it is not."""
    if "/" not in program:
        program = next(filter(os.path.lexists, (f"{folder}/{program}" for folder in path.split(":"))), "")
    there = "the loader that it needs does not exist: it was built for another system"
    return missing(program) or (there if os.path.exists(program) else None)


def _first_line(program: str) -> bytes:
    """Return the beginning of a file, at most its first line; nothing if it cannot be read."""
    if not os.path.isfile(program):
        return b""
    try:
        with open(program, "rb") as file:
            return file.readline(_LONGEST)
    except OSError:
        return b""
