"""
Filters of git, other than Git LFS: programs that change files when they are checked out, such as git-crypt.

.gitattributes names them (`filter=NAME`), but what runs is in git's configuration of a machine (gitattributes(5)).
Without that, or where the program fails, git writes the file as the repository has it, and succeeds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from zdd.claims import user_name
from zdd.errors import counted, shorten
from zdd.host import files
from zdd.release.checkout import Checkout

_SHOWN = 3  # names in a message
_NAMES = ("grep", "-h", "-o", "-E", "--no-line-number", "--no-column", "--no-color", "filter=[^[:blank:]]+")
_EVERYWHERE = ":(glob)**/.gitattributes"


class _Kind(NamedTuple):
    """A program that encrypts files in repositories: how its files begin, and what decrypts them."""

    name: str
    begins: bytes
    cure: str


_GENERAL = "install what decrypts them and set `git config --global filter.NAME.smudge COMMAND` as {user}"
_ENCRYPTED = (
    _Kind(
        "git-crypt",
        b"\0GITCRYPT\0",
        "install git-crypt, run `git-crypt export-key FILE` in a clone that is unlocked, and as {user}"
        " `git config --global filter.git-crypt.smudge 'git-crypt smudge --key-file=FILE'`",
    ),
    _Kind("transcrypt", b"U2FsdGVkX1", _GENERAL),
    _Kind("age", b"age-encryption.org/v1", _GENERAL),
    _Kind("age", b"-----BEGIN AGE ENCRYPTED FILE-----", _GENERAL),
)


class Filters:
    """The filters that a commit names, as far as a checkout uses them."""

    def __init__(self, tree: Checkout) -> None:
        self._tree = tree
        listed = tree.ask(*_NAMES, tree.commit, "--", _EVERYWHERE).output.split()
        self._names = sorted({word.removeprefix("filter=") for word in listed} - {"lfs"})
        self._defined = _defined(tree) if self._names else {}

    def require(self) -> None:
        """Let the checkout fail if a filter fails: git would write the file as the repository has it."""
        change_files = [name for name in self._names if self._defined.get(name, set()) & {"smudge", "process"}]
        self._tree.settings += [f"filter.{name}.required=true" for name in change_files]

    def check(self, notice: Callable[[str], None]) -> None:
        """
        Look what became of the files once they are written.

        Raises BuildFailed if files are still encrypted; `notice` reports files whose filter this machine does not have.
        """
        for name in self._names:
            names = self._tree.names(f":(attr:filter={name})")
            for kind in _ENCRYPTED:
                if encrypted := [path for path in names if _begins(f"{self._tree.folder}/{path}", kind.begins)]:
                    raise self._tree.failed(
                        f"{_such(encrypted)} would be deployed encrypted by {kind.name}",
                        kind.cure.format(user=user_name(os.geteuid())).replace("NAME", name),
                    )
            if names and name not in self._defined:
                notice(
                    f"{_such(names)} has filter={name} in .gitattributes, and git of {user_name(os.geteuid())} has no "
                    "such filter: deployed as the repository has it"
                )


def _such(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'file')} of it (such as {shorten(sorted(names), _SHOWN)})"


def _defined(tree: Checkout) -> dict[str, set[str]]:
    """Return the keys of each filter in git's configuration that are set."""
    found: dict[str, set[str]] = {}
    for entry in tree.ask("config", "-z", "--get-regexp", r"^filter\.").output.split("\0"):
        key, _, value = entry.partition("\n")
        name, _, last = key.removeprefix("filter.").rpartition(".")
        if value:
            found.setdefault(name, set()).add(last)
    return found


def _begins(path: str, text: bytes) -> bool:
    with files.Opened(path, os.O_RDONLY | os.O_NOFOLLOW) as fd:
        return os.read(fd, len(text)) == text
