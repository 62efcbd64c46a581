"""
Files that a repository has in Git LFS: git has only a pointer to each of them.

They are fetched from where the repository is from, and written in place of their pointers.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable

from zdd.errors import counted, shorten
from zdd.host import files
from zdd.release.checkout import Checkout
from zdd.release.unreachable import fetch_failed

_POINTER = re.compile(rb"version https://[^\n]*\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n")
_LONGEST_POINTER = 1024  # bytes, as Git LFS has it
_SHOWN = 3  # names in a message


def fill(tree: Checkout, shown: str, source: str, complete: Callable[[], object]) -> None:
    """
    Write the files that the checkout has pointers to; do nothing if it has none.

    Their content is fetched from `source`, a URL. If something is missing there, `complete` is called, which may fetch
    it into the source, and the source is asked again. Raises BuildFailed if a file is missing after that, or if Git LFS
    is needed and not installed.
    """
    pointers = _pointers(tree)
    if not pointers:
        return
    what = f"{counted(len(pointers), 'file')} of it (such as {shorten(sorted(pointers), _SHOWN)})"
    if tree.ask("lfs", "version").status != 0:
        raise tree.failed(
            f"{what} must come from Git LFS, which is not installed",
            "install git-lfs (Debian, Ubuntu: `apt-get install git-lfs`) and deploy again",
        )
    begun = files.size(tree.log)
    for prepare in (lambda: None, complete):
        if _missing(tree, pointers):
            prepare()
            tree.run("lfs", "fetch", "--include=", "--exclude=", source, tree.commit)
    if missing := _missing(tree, pointers):
        output = "\n".join(files.tail(tree.log, 20, begun))
        error = fetch_failed(shown, source, output, tree.log, f"fetch {shorten(missing, _SHOWN)} by Git LFS from")
        raise tree.failed(error.message, error.hint or "`git lfs push --all` sends there what another clone has")
    for name, (oid, size) in pointers.items():
        tree.interrupt()
        shutil.copyfile(_object(tree, oid) if size else os.devnull, f"{tree.folder}/{name}")  # keeps the file's mode
    _forget_others(tree, {oid for oid, _ in pointers.values()})


def _pointers(tree: Checkout) -> dict[str, tuple[str, int]]:
    """Return the id and size of each file to which the checkout has a pointer."""
    pointers = {}
    for name in tree.names(":(attr:filter=lfs)"):
        path = f"{tree.folder}/{name}"
        if os.path.islink(path) or os.path.getsize(path) > _LONGEST_POINTER:
            continue
        with open(path, "rb") as file:
            if pointer := _POINTER.match(file.read()):
                pointers[name] = (pointer[1].decode(), int(pointer[2]))
    return pointers


def _missing(tree: Checkout, pointers: dict[str, tuple[str, int]]) -> list[str]:
    """Return the files whose content the mirror does not have."""
    return sorted(name for name, (oid, size) in pointers.items() if size and files.size(_object(tree, oid)) != size)


def _object(tree: Checkout, oid: str) -> str:
    """Return where the mirror has a content; the empty one is stored nowhere."""
    return f"{tree.mirror}/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}"


def _forget_others(tree: Checkout, oids: set[str]) -> None:
    """Remove what this commit does not need, since the mirror would grow without end."""
    for folder, _, names in os.walk(f"{tree.mirror}/lfs/objects"):
        for name in names:
            if name not in oids:
                files.remove(f"{folder}/{name}")
