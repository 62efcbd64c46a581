"""One folder with the static files of all kept releases, so that pages of the old version still find their files."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence

from zdd.host import files, trees
from zdd.release import disk

_HIDDEN = re.compile(r"/\.(?!well-known(?:/|$))")


def unite(
    union: str,
    releases: Sequence[str],
    folders: Sequence[str],
    is_wanted: Callable[[str], bool] = lambda _: True,
) -> list[str]:
    """
    Make `union` contain the files of these folders of all releases, at the same paths; earlier releases win.

    Only files whose path in the release `is_wanted` count. The folder "." is the whole release.

    A file that stays is at no moment missing: new files are added first, changed ones are replaced by rename(2), and
    files of no release are removed last. Files are hard links if possible, else copies.
    A link in a release counts as the file it leads to if that is in the release; linked folders do not count.
    Files are opened without following any link, since a build may have given a folder to the app's user.
    Returns the paths of the files that not everyone may read.
    """
    wanted: dict[str, tuple[str, str]] = {}
    parents: set[str] = set()
    for release in releases:
        top = os.path.realpath(release)
        for path, source in _files(top, folders, is_wanted):
            above = list(_above(path))
            if path not in parents and wanted.keys().isdisjoint(above):
                wanted.setdefault(path, (top, source))
                parents.update(above)
    files.open_folder(union, 0o755)
    for path, (top, source) in wanted.items():
        _put(top, source, union, path)
    for folder in parents:
        files.open_folder(f"{union}/{folder}", 0o755)
    _remove_others(union, wanted.keys() | parents)
    return sorted(path for path in wanted if not os.lstat(f"{union}/{path}").st_mode & stat.S_IROTH)


def shown(folders: Sequence[str]) -> Callable[[str], bool]:
    """
    Return what says of a path in a release whether visitors may see it, who get these folders.

    As in a static service, names that begin with a dot are not for them, as .env and .git, but .well-known is. The
    folders themselves may have such names.

    >>> [shown([".next/static"])(f".next/static/{name}") for name in ("a.js", ".env", "b/.git/config", ".well-known/x")]
    [True, False, False, True]
    """
    tops = ["" if (top := os.path.normpath(folder)) == "." else f"{top}/" for folder in folders]

    def is_shown(path: str) -> bool:
        insides = [path.removeprefix(top) for top in tops if path.startswith(top)]
        return any(not _HIDDEN.search(f"/{inside}") for inside in insides)

    return is_shown


def _files(top: str, folders: Sequence[str], is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yield the path in the release at `top` of each static file that is wanted, and where its content is."""
    for folder in folders:
        named, real = os.path.normpath(f"{top}/{folder}"), os.path.realpath(f"{top}/{folder}")
        if real != top and not _is_below(real, top):
            continue
        for parent, _, names in os.walk(real):
            for name in names:
                source = f"{parent}/{name}"
                path = f"{named}{source[len(real) :]}"[len(top) + 1 :]
                if not is_wanted(path):  # first, since looking at thousands of files takes long
                    continue
                if os.path.islink(source):
                    source = os.path.realpath(source)
                if os.path.isfile(source) and _is_below(source, top):
                    yield path, source


def _is_below(path: str, top: str) -> bool:
    return path.startswith(f"{top}/")


def _above(path: str) -> Iterator[str]:
    while path := os.path.dirname(path):
        yield path


def _put(top: str, source: str, union: str, path: str) -> None:
    target, temporary = f"{union}/{path}", f"{union}.new"
    if os.path.lexists(target) and os.path.samestat(os.stat(source), os.lstat(target)):
        return
    for folder in (f"{union}/{above}" for above in reversed(list(_above(path)))):
        if os.path.islink(folder) or not os.path.isdir(folder):
            trees.remove(folder)  # a file in an old release, but a folder in this one
            os.mkdir(folder, 0o755)
    if os.path.isdir(target):
        trees.remove(target)
    trees.remove(temporary)
    with disk.inside(top, os.path.dirname(source)[len(top) + 1 :], make=False) as folder:
        _take(f"{folder}/{os.path.basename(source)}", temporary)
    if not stat.S_ISREG(os.lstat(temporary).st_mode):
        raise OSError(errno.ELOOP, "was replaced while it was looked at", source)
    os.rename(temporary, target)


def _take(source: str, temporary: str) -> None:
    try:
        os.link(source, temporary, follow_symlinks=False)
    except OSError:  # another file system, or another user's file
        disk.copy(source, temporary)


def _remove_others(union: str, wanted: set[str]) -> None:
    for parent, folders, names in os.walk(union, topdown=False):
        for name in folders + names:
            path = f"{parent}/{name}"
            if path[len(union) + 1 :] not in wanted:
                trees.remove(path)
