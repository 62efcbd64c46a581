"""Paths that all releases share: they are in S/shared, and every release links to them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from itertools import permutations

from zdd.errors import UsageError
from zdd.host import files, trees
from zdd.release import disk


def check(paths: Sequence[str], shared: str) -> None:
    """
    Raise UsageError for a path inside another one, since its link would be made inside the target of the other link,
    and for a path that is a link in the folder `shared` and leads nowhere, as to a disk that is not mounted.
    """
    for path in (path.rstrip("/") for path in paths):
        link = f"{shared}/{path}"
        if os.path.islink(link) and not os.path.exists(link):
            raise UsageError(
                f"[release] shared: {link} leads to {os.path.realpath(link)}, which does not exist",
                hint="mount its disk, or create what it leads to; or remove the link",
            )
    for outer, inner in permutations((path.rstrip("/") for path in paths), 2):
        if f"{inner}/".startswith(f"{outer}/"):
            raise UsageError(f"[release] shared: {inner} is shared with {outer} already", hint=f"leave out {inner}")


def link(release: str, shared: str, paths: Sequence[str], notice: Callable[[str], None]) -> None:
    """
    Replace each path in the release by a link to the same path in the folder `shared`.

    Existing shared content stays, and the release's own content there is removed. The first time, the release's content
    is copied, so a folder of initial files works. If the release has none, `media/` becomes an empty folder; any other
    path is a file that its owner must provide (.env, a database): until then the link has no target, and `notice` says
    so. (Capistrano has linked_dirs and linked_files for this, and fails if a file is missing.)

    Raises OSError if a folder of the path is a link.
    """
    files.open_folder(shared, 0o755)
    for path in paths:
        name = path.rstrip("/")
        folder, base = os.path.split(name)
        with disk.inside(shared, folder) as theirs, disk.inside(release, folder) as ours:
            if not os.path.lexists(f"{theirs}/{base}"):
                notice(_begin(f"{ours}/{base}", theirs, base, shared, path))
            trees.remove(f"{ours}/{base}")
            os.symlink(f"{shared}/{name}", f"{ours}/{base}")


def _begin(shipped: str, folder: str, base: str, shared: str, path: str) -> str:
    """Create the first content of a shared path if possible; return a notice about it."""
    if os.path.exists(shipped) and not os.path.islink(shipped):
        _seed(shipped, folder, base, f"{shared}.seed")
        return f"{shared}/{path} is new: a copy of what the release has there"
    if path.endswith("/"):
        os.mkdir(f"{folder}/{base}", 0o755)
        return f"{shared}/{path} is new and empty"
    place = f"{shared}/{path}"
    return f"{place} does not exist: create it, or let the app or a hook create it (a folder is `{base}/` in shared)"


def _seed(shipped: str, folder: str, base: str, aside: str) -> None:
    """
    Put a copy of the release's content into the folder, completely or not at all.

    The folder may belong to an app's user, who then controls every name in it. So the copy is made `aside`, in a folder
    that only we may enter, and renamed into place. On another file system it is copied there once more under a
    temporary name: `disk.copy` writes only to files it creates, and opens nothing that another user could have made.
    """
    trees.remove(aside)  # left by a crash
    os.mkdir(aside, 0o700)
    copy, target = f"{aside}/{base}", f"{folder}/{base}"
    try:
        disk.copy(shipped, copy)
        try:
            os.rename(copy, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = f"{folder}/.{base}.seed"
            trees.remove(beside)
            disk.copy(copy, beside)
            os.rename(beside, target)
    finally:
        trees.remove(aside)
