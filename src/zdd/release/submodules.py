"""The submodules of a commit: other repositories, each at a commit of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from zdd.release.checkout import Checkout
from zdd.release.source import SourceFolder


class Submodule(NamedTuple):
    """A submodule: where it is in the checkout, its name, its commit, and its URL as .gitmodules has it."""

    path: str
    name: str
    commit: str
    url: str


def find(tree: Checkout, notice: Callable[[str], None]) -> list[Submodule]:
    """Return the submodules of the checkout; `notice` reports those that are left empty."""
    listed = tree.ask("ls-files", "-z", "--stage", "--", *([tree.prefix] if tree.prefix else [])).output.split("\0")
    commits = {path: entry.split()[1] for entry, _, path in (line.partition("\t") for line in listed) if _is_one(entry)}
    if not commits:
        return []
    settings = _settings(tree)
    by_path = {keys["path"]: (name, keys) for name, keys in settings.items() if "path" in keys}
    found = []
    for path, commit in commits.items():
        name, keys = by_path.get(path, ("", {}))
        if not keys.get("url"):
            notice(f"submodule {path} of {tree.commit[:12]} stays empty: .gitmodules names no url for it")
        elif keys.get("update") == "none":
            notice(f"submodule {path} of {tree.commit[:12]} stays empty: .gitmodules says update = none")
        else:
            found.append(Submodule(path, name, commit, keys["url"]))
    return found


def places(module: Submodule, source: str, folder: SourceFolder) -> list[str]:
    """Return where a submodule may be fetched from: the source's own copy if it has one, and then its URL."""
    if not os.path.isdir(source):
        return [absolute(module.url, source)]
    url = folder.setting(f"submodule.{module.name}.url") or module.url
    return [*folder.copies_of(module.name), absolute(url, folder.setting("remote.origin.url") or source)]


def absolute(url: str, base: str) -> str:
    """
    Return the URL, which may be relative to that of the repository, as git reads it.

    >>> absolute("../lib.git", "git@code.test:shop/app.git"), absolute("../../lib", "https://code.test/shop/app/")
    ('git@code.test:shop/lib.git', 'https://code.test/lib')
    >>> absolute("../lib", "git@code.test:app"), absolute("/srv/lib", "/srv/app")
    ('git@code.test:lib', '/srv/lib')
    """
    if not url.startswith(("./", "../")):
        return url
    base = base.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            above = re.match("(.*)[/:]", base)
            base = base[: above.end()].rstrip("/") if above else base
        url = url.partition("/")[2]
    return f"{base}{url}" if base.endswith(":") else f"{base}/{url}"


def _is_one(entry: str) -> bool:
    return entry.startswith("160000 ")


def _settings(tree: Checkout) -> dict[str, dict[str, str]]:
    """Return the keys of each submodule in .gitmodules, by its name."""
    blob = tree.ask("config", "--blob", f"{tree.commit}:.gitmodules", "-z", "--get-regexp", r"^submodule\.")
    settings: dict[str, dict[str, str]] = {}
    for entry in blob.output.split("\0") if blob.status == 0 else ():
        key, _, value = entry.partition("\n")
        name, _, last = key.removeprefix("submodule.").rpartition(".")
        settings.setdefault(name, {})[last] = value
    return settings
