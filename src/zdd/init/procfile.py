"""A Procfile: the processes that the project declares itself."""

from __future__ import annotations

import re
import shlex

from zdd.init import python
from zdd.init.folder import Folder
from zdd.init.proposal import Proposal, Service, service_name

# How servers get their socket: their options for an address, what replaces these, and the value of `socket`.
_SERVERS = {
    "gunicorn": (("-b", "--bind"), "--bind fd://{fd}", "fd"),
    "hypercorn": (("-b", "--bind"), "--bind fd://{fd}", "fd"),
    "uvicorn": (("--host", "--port", "--uds", "--fd"), "--fd {fd}", "fd"),
    "daphne": (("-b", "--bind", "-p", "--port", "-u", "--fd"), "--fd {fd}", "fd"),
    "granian": (("--host", "--port", "--uds"), "--uds {socket}", "unix"),
    "puma": (("-b", "--bind", "-p", "--port"), "-b unix://{socket}", "unix"),
}
_SHELL = r"[$&|;<>*`~]|^\w+="  # syntax that needs a shell


def procfile(folder: Folder, known: Proposal | None) -> Proposal | None:
    """Return the Procfile's services, added to what is `known` of the project; `known` without a Procfile."""
    lines = re.findall(r"(?m)^([\w-]+):\s*(\S.*?)\s*$", folder.text("Procfile"))
    if not lines:
        return known
    proposal = known or Proposal("", [])
    commands = dict(lines)
    proposal.before_start = commands.pop("release", None) or proposal.before_start
    proposal.services = [_service(name, command, bool(folder.sources)) for name, command in commands.items()]
    proposal.what = f"{proposal.what}, with the processes of the Procfile".removeprefix(", with the ")
    return proposal


def _service(name: str, command: str, is_python: bool) -> Service:
    if is_python and command.split()[0] in python.PROGRAMS:
        command = python.BIN + command
    keys: dict[str, object] = _web(command) if name == "web" else {"run": _run(command), "socket": "none"}
    comment = {"none": "nobody connects to it", "tcp": "it listens on the port in PORT"}.get(str(keys.get("socket")))
    return Service(service_name(name), keys, {"socket": comment} if comment else {})


def _web(command: str) -> dict[str, object]:
    argv = shlex.split(command)
    server = next((name for word in argv if (name := word.rpartition("/")[2]) in _SERVERS), None)
    if server:
        options, said, way = _SERVERS[server]
        rest = shlex.join(_without(argv, options))
        if not re.search(_SHELL, rest):
            run = f"{rest} {said}"
            return {"run": run} if way == "fd" else {"run": run, "socket": way}
    return {"run": _run(command), "socket": "tcp"}


def _without(argv: list[str], options: tuple[str, ...]) -> list[str]:
    """Return the words without these options and their values."""
    kept: list[str] = []
    skip = False
    for word in argv:
        if not skip and word.partition("=")[0] not in options:
            kept.append(word)
        skip = not skip and word in options
    return kept


def _run(command: str) -> str:
    """Return the command for `run`, wrapped in a shell if it needs one."""
    if not re.search(_SHELL, command):
        return command
    return shlex.join(["sh", "-c", command if re.search("[&|;]|^\\w+=", command) else f"exec {command}"])
