"""Where figures come from: nothing measured is worth anything without it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import zdd
from bench import kamal
from bench.peer import PATH

_VERSIONS = {
    "nginx": ("nginx", "-v"),
    "gunicorn": ("gunicorn", "--version"),
    "HAProxy": ("haproxy", "-v"),
    "Caddy": ("caddy", "version"),
    "Node": ("node", "--version"),
    "systemd": ("systemctl", "--version"),
    "wrk": ("wrk", "-v"),
}


def describe() -> dict[str, Any]:
    """Return the machine, its kernel, and the versions of all that took part."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],  # of the minute before
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "kernel": platform.release(),
        "versions": {"zdd": f"{zdd.__version__} {_revision()}".strip(), "Python": platform.python_version()}
        | {name: found for name, command in _VERSIONS.items() if (found := _version(*command))}
        | _pm2()
        | _kamal_proxy(),
    }


def _revision() -> str:
    """Return the commit that was measured, nothing outside of a repository."""
    command = ["git", "-C", os.path.dirname(__file__), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _pm2() -> dict[str, str]:
    """Return its version as its package has it: `pm2 --version` starts a daemon that stays."""
    program = shutil.which("pm2", path=PATH)
    if not program:
        return {}
    package = Path(program).resolve().parents[1] / "package.json"
    return {"pm2": json.loads(package.read_text())["version"]}


def _kamal_proxy() -> dict[str, str]:
    """Return the beginning of its program's SHA-256: it does not say its version."""
    if kamal.missing():
        return {}
    return {"kamal-proxy": "sha256 " + hashlib.sha256(Path(kamal.program()).read_bytes()).hexdigest()[:12]}


def _version(*command: str) -> str:
    """Return the first thing it prints that looks like a version, nothing if there is no such program."""
    try:
        done = subprocess.run(command, env=os.environ | {"PATH": PATH}, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+[\w.+~-]*|(?<=systemd )\d+", done.stdout + done.stderr)
    return found[0] if found else ""
