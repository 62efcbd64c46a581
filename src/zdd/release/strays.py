"""
What in a release leads out of it to where it was copied from: then a rollback has old code with today's packages.

The scripts of a Python environment name its interpreter by its whole path: those of a copy run the original.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable

from zdd.conf.services import RunService
from zdd.errors import counted

CURE = (
    "let each release have an environment of its own, such as"
    ' build = ["python3 -m venv --clear .venv", ".venv/bin/pip install -r requirements.txt"]'
)
"""What to do about the copy of an environment."""

_INTERPRETER = re.compile(
    rb"#!\s*(/[^\n ]+/bin/python[0-9.]*)[ \n]|#!/bin/sh\n'''exec' \"?(/[^\n\"]+/bin/python[0-9.]*)\"? "
)
_BEGINNING = 1024  # bytes


def scripts(release: str) -> dict[str, str]:
    """Return the scripts of the release's Python environments that run another environment, and which."""
    strays = {}
    for folder, folders, names in os.walk(release):
        folders[:] = [name for name in folders if name not in ("node_modules", "site-packages")]
        if "pyvenv.cfg" in names:
            for name in _names(f"{folder}/bin"):
                if (other := _environment_of(f"{folder}/bin/{name}")) and not _is_same(other, folder):
                    strays[os.path.relpath(f"{folder}/bin/{name}", release)] = other
            folders[:] = []
    return strays


def links(release: str, source: str) -> list[str]:
    """Return the symbolic links of the release that lead into the source."""
    inside = (f"{source}/", f"{os.path.realpath(source)}/")
    strays = []
    for folder, folders, names in os.walk(release):
        paths = filter(os.path.islink, (f"{folder}/{name}" for name in folders + names))
        strays += [os.path.relpath(path, release) for path in paths if f"{os.readlink(path)}/".startswith(inside)]
    return sorted(strays)


def run_by(app: RunService, release: str, strays: Iterable[str]) -> str | None:
    """Return the first of these scripts of the release that the service runs, also through a shell; else None."""
    program = os.path.normpath(os.path.join(app.cwd or release, shlex.split(app.run)[0]))
    return next((path for path in strays if program == f"{release}/{path}" or path in app.run), None)


def sentence(strays: dict[str, str]) -> str:
    """Return a sentence about scripts that no service is known to run."""
    first, other = next(iter(strays.items()))
    more = f" and {counted(len(strays) - 1, 'more script')}" if len(strays) > 1 else ""
    runs = "run" if more else "runs"
    return f"{first}{more} of the release {runs} with the Python and the packages of {other}; {CURE}"


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def _environment_of(script: str) -> str | None:
    """Return the folder of the environment that a script names, None if it names none."""
    try:
        if os.path.islink(script) or not os.path.isfile(script):
            return None
        with open(script, "rb") as file:
            match = _INTERPRETER.match(file.read(_BEGINNING))
    except OSError:
        return None
    if not match:
        return None
    interpreter = os.fsdecode(match[1] or match[2])
    environment = os.path.dirname(os.path.dirname(interpreter))
    is_one = os.path.exists(f"{environment}/pyvenv.cfg") or not os.path.exists(interpreter)
    return environment if is_one else None


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
