"""Node apps: their first listen is turned into the inherited socket by a hook (listen.cjs), so they need no change."""

from __future__ import annotations

import os
import re
import shlex

from zdd.conf.schema import RunService
from zdd.host import files
from zdd.host.command import which

_PROGRAMS = {"node", "nodejs", "npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg"}
_PACKAGES = "node_modules/.bin/"
_NAME = "listen.cjs"
_FIRST_LINE = 256  # bytes that the kernel reads of it


def wants_hook(service: RunService) -> bool:
    """Tell whether the hook is for this service: as its `runtime` says, or else by the program that it runs."""
    if service.runtime == "auto" and service.socket == "fd":
        program = shlex.split(service.run)[0]
        return os.path.basename(program) in _PROGRAMS or _PACKAGES in program or _is_script(program, service)
    return service.runtime == "node"


def has_hook(folder: str) -> bool:
    """Tell whether the instance with this folder was started with the hook."""
    return os.path.exists(f"{folder}/{_NAME}")


def install_hook(folder: str, given: str) -> str:
    """
    Copy the hook into the instance's folder; returns the NODE_OPTIONS that load it, with those that are `given`.

    A copy, since the app may be restarted when the package it came from is upgraded or gone.
    """
    source = files.read(f"{os.path.dirname(__file__)}/{_NAME}") or ""
    copy = f"{folder}/{_NAME}"
    files.write(copy, source)
    quoted = copy.replace("\\", "\\\\").replace('"', '\\"')
    return f'--require "{quoted}" {given}'.rstrip()


def _is_script(program: str, service: RunService) -> bool:
    """Tell whether it is a program that Node interprets, as pm2-runtime is where it was installed with `npm -g`."""
    path = which(program, service.env.get("PATH"))
    try:
        with open(path or os.devnull, "rb") as file:
            return re.match(rb"#![^\n]*\bnode(js)?\b", file.read(_FIRST_LINE)) is not None
    except OSError:
        return False
