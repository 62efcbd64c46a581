"""Node apps: a hook (listen.cjs) turns their first listen into the inherited socket, so they need no change."""

from __future__ import annotations

import os
import re
import shlex

from zdd.conf.services import RunService
from zdd.host import files
from zdd.host.command import which

_PROGRAMS = {"node", "nodejs", "npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg"}
_PACKAGES = "node_modules/.bin/"
_OTHERS = {"bun", "bunx", "deno"}  # read no NODE_OPTIONS
_NAME = "listen.cjs"
_FIRST_LINE = 256  # bytes that the kernel reads of it


def wants_hook(service: RunService) -> bool:
    """Return whether this service needs the hook, by its `runtime` or the program it runs."""
    if service.runtime == "auto" and service.socket == "fd":
        program = shlex.split(service.run)[0]
        name = os.path.basename(program)
        return name in _PROGRAMS or (name not in _OTHERS and (_PACKAGES in program or _is_script(program, service)))
    return service.runtime == "node"


def has_hook(folder: str) -> bool:
    """Return whether the instance with this folder was started with the hook."""
    return os.path.exists(f"{folder}/{_NAME}")


def install_hook(folder: str, given: str) -> str:
    """
    Copy the hook into the instance's folder; return the NODE_OPTIONS that load it, added to the `given` ones.

    The app may be restarted after zdd was upgraded or removed, so it needs a copy.
    """
    source = files.read(f"{os.path.dirname(__file__)}/{_NAME}") or ""
    copy = f"{folder}/{_NAME}"
    files.write(copy, source)
    quoted = copy.replace("\\", "\\\\").replace('"', '\\"')
    return f'--require "{quoted}" {given}'.rstrip()


def _is_script(program: str, service: RunService) -> bool:
    """Return whether Node interprets this program, such as pm2-runtime installed with `npm -g`."""
    path = which(program, service.env.get("PATH"))
    try:
        with open(path or os.devnull, "rb") as file:
            return re.match(rb"#![^\n]*\bnode(js)?\b", file.read(_FIRST_LINE)) is not None
    except OSError:
        return False
