"""The files of a commit, written from a mirror into a folder."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping

from zdd.host import files, trees
from zdd.host.command import Commands, Result
from zdd.release.source import GIT
from zdd.release.unreachable import gist
from zdd.release.work import BuildFailed, Work

DAMAGED = re.compile("bad object|corrupt|loose object|unable to read|not a valid object|not a git repository: ")
_FILTERED = re.compile(r"^fatal: (.+: smudge filter (\S+) failed)$", re.MULTILINE)
# Git LFS is asked for its files later: git would fail without it, or write pointers without a word.
_NO_LFS = ("-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false")


class Checkout:
    """
    A folder with the files of one commit, or of one folder `prefix` of it, and the mirror that they are from.

    `log` gets the output of all programs. `interrupt` is called repeatedly, and may raise.
    """

    def __init__(
        self,
        mirror: str,
        commit: str,
        prefix: str,
        folder: str,
        commands: Commands,
        env: Mapping[str, str],
        interrupt: Callable[[], None],
        log: str,
    ) -> None:
        self.mirror = mirror
        self.commit = commit
        self.prefix = prefix
        self.folder = folder
        self.log = log
        self.interrupt = interrupt
        self.settings: list[str] = []  # of git, while it writes
        self._commands = commands
        self._env = {**env, "GIT_INDEX_FILE": f"{mirror}/checkout-index"}
        self._begun = files.size(log)

    def write(self) -> None:
        """Write the files, without `.git`, into the empty folder. Raises BuildFailed."""
        files.remove(self._env["GIT_INDEX_FILE"])
        into = () if self.prefix else ("-u",)
        read = ("read-tree", "--no-sparse-checkout", "--reset", *into, self.commit)
        status = self.run(*read)
        if status == 0 and self.prefix:
            status = self.run("checkout", "--quiet", self.commit, "--", self.prefix)
        if status != 0:
            raise self._unwritten()
        # Finds missing and extra files, but not changed ones: filters (line endings, LFS) may change files.
        compare = ["diff-index", "--name-only", "--no-renames", "--ignore-submodules", "--diff-filter=ADTU"]
        compared = self.ask(*compare, self.commit, "--", *([self.prefix] if self.prefix else []))
        if compared.status != 0 or compared.output:
            wrong = compared.output.splitlines()
            short = self.commit[:12]
            raise BuildFailed(f"cannot check out {short}: it is incomplete: {gist(wrong)}", wrong, self.log)

    def _unwritten(self) -> BuildFailed:
        """Return the error for what git has printed; a damaged mirror is removed."""
        output = self.output()
        if DAMAGED.search("\n".join(output)):
            trees.remove(self.mirror)
            hint = f"the copy of the repository in {self.mirror} was damaged and is removed: deploy again"
            return self.failed(gist(output), hint)
        if filtered := _FILTERED.search("\n".join(output)):
            shown = f"`git config --show-origin --get-regexp filter.{filtered[2]}`"
            return self.failed(filtered[1], f"install what it runs, or correct it: {shown} shows it")
        return self.failed(gist(output))

    def run(self, *arguments: str) -> int:
        """Run git in the folder, with its output in the log; return its exit status."""
        work = Work(self._commands, self.folder, self._env, self.interrupt)
        settings = [word for setting in self.settings for word in ("-c", setting)]
        return work.run(self._git(*settings, *arguments), self.folder, self.log)

    def ask(self, *arguments: str) -> Result:
        """Run git in the folder and return its output."""
        git = self._git(*arguments)
        return self._commands.run(git, self.folder, self._env, math.inf, interrupt=self.interrupt, stdout_alone=True)

    def output(self) -> list[str]:
        """Return the last lines in the log since the checkout began."""
        return files.tail(self.log, 20, self._begun)

    def failed(self, why: str, hint: str | None = None) -> BuildFailed:
        """Return the error to raise."""
        return BuildFailed(f"cannot check out {self.commit[:12]}: {why}", self.output(), self.log, hint=hint)

    def names(self, *patterns: str) -> list[str]:
        """Return the files of the checkout that match one of git's pathspecs."""
        listed = self.ask("ls-files", "-z", "--", *patterns).output.split("\0")
        return [name for name in listed if name and os.path.isfile(f"{self.folder}/{name}")]

    def _git(self, *arguments: str) -> list[str]:
        return [*GIT, *_NO_LFS, f"--git-dir={self.mirror}", f"--work-tree={self.folder}", *arguments]
