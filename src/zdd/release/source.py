"""A git repository on this machine as source: what git says in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from zdd.errors import DeployFailed, UsageError
from zdd.host.command import Commands, Result
from zdd.release import revision
from zdd.release.work import Work

# No hooks, no other program that a repository may name; and housekeeping before git ends, not behind our back.
GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false")
_LOOKING = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=all")
_DUBIOUS = re.compile("detected dubious ownership in repository at '(.*)'")
_EMPTY_TREE = {  # for each length of an id
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


class SourceFolder:
    """A folder that is a git repository: bare, with a working tree, or a working tree of another one's."""

    def __init__(self, path: str, commands: Commands, env: Mapping[str, str]) -> None:
        self.path = path
        self.commands = commands
        # A folder that is no repository after all must not be taken for a part of one above it.
        self._env = {**env, "GIT_CEILING_DIRECTORIES": os.path.dirname(os.path.realpath(path))}
        self._trusted: list[str] = []

    def commit(self, rev: str) -> str:
        """
        Return the commit that `rev` names here: so HEAD~1, and what a reflog knows, mean what they mean to git here.

        Raises UsageError if there is none or it could be two, and for a repository that git does not trust;
        DeployFailed for a HEAD that has no commit.
        """
        try:
            return revision.find(self._ask, rev, self.path)
        except UsageError:
            if rev == "HEAD" and self._ask("rev-parse", "--verify", "--quiet", "HEAD").output == "":
                raise DeployFailed(
                    f"cannot fetch {self.path}: couldn't find remote ref HEAD",
                    hint="its HEAD names a branch that has no commit: commit something, or set rev in [release]",
                ) from None
            raise

    def uncommitted(self, commit: str) -> list[str]:
        """Return the files that differ from this commit, where it is the one that is checked out."""
        if not os.path.lexists(f"{self.path}/.git"):
            return []
        if self._ask("rev-parse", "HEAD").output.strip() != commit:
            return []
        listed = self._ask("status", "--porcelain", "-z", "--no-renames").output
        return [entry[3:] for entry in listed.split("\0") if re.match("[ MTADCU?]{2} ", entry)]

    def complete(self, commit: str, work: Work, log: str) -> None:
        """
        Have git fetch the files of this commit that a partial clone has left out.

        git does so by itself where it needs them, but not while another repository fetches from this one.
        """
        compare = ["diff-tree", "-r", "--shortstat", "--no-ext-diff", "--no-textconv", _EMPTY_TREE[len(commit)], commit]
        work.run(self._git(*compare), "/", log)

    def _ask(self, *words: str) -> Result:
        result = self.commands.run(self._git(*words), env=self._env)
        if not self._trusted and (dubious := _DUBIOUS.search(result.output)):
            # Here git asks about the working tree, and when it fetches about its .git: that one is enough.
            asked = self.commands.run([*GIT, "ls-remote", "--", self.path, "HEAD"], env=self._env)
            if error := untrusted(self.path, asked.output):
                raise error
            self._trusted = ["-c", f"safe.directory={dubious[1]}"]
            return self._ask(*words)
        return result

    def _git(self, *words: str) -> list[str]:
        return [*GIT, *_LOOKING, *self._trusted, "-C", self.path, *words]


def untrusted(shown: str, words: str) -> UsageError | None:
    """Return the error to raise when git says that it does not trust a repository."""
    if told := re.search("git config --global --add safe.directory .*", words):
        return UsageError(f"git does not trust {shown}: it belongs to another user", hint=f"if you do, run `{told[0]}`")
    return None
