"""A proposal for a project, and its deploy.toml."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from zdd.conf.read import valid_name
from zdd.conf.schema import NAME

_LINE = 80  # characters of the longest list on one line


@dataclass(frozen=True)
class Service:
    """A service: its keys in deploy.toml, and comments for some of them."""

    name: str
    keys: dict[str, object]
    comments: dict[str, str] = field(default_factory=dict)


@dataclass
class Proposal:
    """What was recognized (`what`, for people), and the settings that follow from it."""

    what: str
    services: list[Service]
    build: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    assets: list[str] | dict[str, str] = field(default_factory=list)
    before_start: str | None = None
    comments: list[str] = field(default_factory=list)  # at the top of the file


def toml(proposal: Proposal, folder_name: str, port: int, is_repository: bool, has_env: bool) -> str:
    """Return the text of deploy.toml; `has_env`: the project has a file .env."""
    lines = [f"# {proposal.what}: found by `zddeploy init`.", "# `zddeploy config` shows all other keys."]
    lines += [f"# {comment}" for comment in proposal.comments]
    zdd: dict[str, object] = (
        {} if re.fullmatch(NAME, folder_name) else {"project": valid_name(folder_name) or "project"}
    )
    if proposal.before_start:
        zdd["before_start"] = proposal.before_start
    lines += _section("zdd", zdd, {"before_start": "run in the new release before anything of it starts"})
    lines += _section(
        "nginx",
        {"listen": f"127.0.0.1:{port}"},
        {"listen": '"80" lets everybody in; where another nginx runs already, set include instead'},
    )
    lines += _release(proposal, is_repository)
    for service in proposal.services:
        is_static = "static" in service.keys
        if has_env and not is_static:
            service.keys["env_file"] = ".env"
        lines += _section(f"service.{service.name}", service.keys, service.comments)
        if service.keys.get("socket") != "none" and not is_static:
            lines += ["# a path that answers 200 when all is well, and only then", '# health_path = "/health"']
    return "\n".join(lines) + "\n"


def _release(proposal: Proposal, is_repository: bool) -> list[str]:
    """Return the [release] section; empty without build commands: then the code runs in place."""
    if not proposal.build:
        return []
    source = "this repository: what is committed is deployed" if is_repository else "this folder, copied"
    keys: dict[str, object] = {"source": ".", "build": proposal.build}
    more: dict[str, object] = {"shared": proposal.shared, "assets": proposal.assets}
    keys |= {key: paths for key, paths in more.items() if paths}
    said = {"source": source, "shared": "the same for all releases", "assets": "nginx serves these files itself"}
    return _section("release", keys, said)


def _section(title: str, keys: dict[str, object], comments: dict[str, str]) -> list[str]:
    if not keys:
        return []
    lines = ["", f"[{title}]"]
    for key, value in keys.items():
        lines += [f"# {comments[key]}"] if key in comments else []
        lines.append(f"{key} = {_value(value)}")
    return lines


def _key(word: str) -> str:
    return word if re.fullmatch("[A-Za-z0-9_-]+", word) else json.dumps(word)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list) and len(json.dumps(value)) > _LINE:
        return "[\n" + "".join(f"    {_value(item)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
