"""A git repository as source: a bare mirror of it in S, fetched before each release."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.host.command import Commands
from zdd.instance import environment
from zdd.release import disk, work
from zdd.release.failure import BuildFailed
from zdd.release.work import Work

# No hooks; and housekeeping before git ends, not behind our back.
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false")
# What git sets for its hooks, from which people deploy: another repository than ours.
_OTHER_REPOSITORY = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|NAMESPACE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|QUARANTINE_PATH|SHALLOW_FILE|CONFIG_PARAMETERS|CONFIG_COUNT)"
)
_DAMAGED = re.compile("bad object|corrupt|loose object|unable to read|not a valid object")
_HEAD = "refs/zdd/HEAD"  # what the source's HEAD was when last asked


def inherited() -> dict[str, str]:
    """Return our own environment, less CI marks and what a git hook is told of its own repository."""
    return {name: text for name, text in environment.inherited().items() if not _OTHER_REPOSITORY.fullmatch(name)}


def is_repository(source: str) -> bool:
    """Tell whether the source is a git repository: a URL, a bundle, or a folder that is bare or has `.git`."""
    if not os.path.isabs(source) or os.path.isfile(source):
        return True
    return os.path.lexists(f"{source}/.git") or all(os.path.exists(f"{source}/{part}") for part in ("HEAD", "objects"))


class Mirror:
    """The source's branches and tags, and all they lead to; a cache, which may be removed at any time."""

    def __init__(self, path: str, source: str, commands: Commands) -> None:
        self.path = path
        self.source = source
        self.shown = _without_password(source)
        self.commands = commands
        self.log = f"{path}.log"
        self._env = inherited() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}

    def commit(self, rev: str | None, interrupt: Callable[[], None]) -> str:
        """
        Fetch the source and return the commit that a branch, tag or commit names, None being the source's HEAD.

        Raises UsageError for what it does not have, for a repository that git does not trust, and without git;
        DeployFailed when it cannot be fetched.
        """
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        rev = _HEAD if rev in (None, "HEAD") else str(rev)
        if rev == _HEAD:
            refs.append(f"+HEAD:{_HEAD}")
        fetch = ["fetch", "--quiet", "--prune", "--no-tags", "--", self.source, *refs]
        status, words = self._fetch(fetch, interrupt)
        if status != 0 and _DAMAGED.search(words):  # by a power cut or by hand
            disk.remove(self.path)
            status, words = self._fetch(fetch, interrupt)
        if status != 0:
            raise self._cannot_fetch(words)
        return self._parse(rev)

    def uncommitted(self, commit: str) -> list[str]:
        """Return what in the source's own folder differs from this commit, where that is what is checked out there."""
        if not os.path.lexists(f"{self.source}/.git"):
            return []
        asked = [*_GIT, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", self.source]
        if self.commands.run([*asked, "rev-parse", "HEAD"], env=self._env).output.strip() != commit:
            return []
        found = self.commands.run([*asked, "status", "--porcelain", "-z", "--no-renames"], env=self._env).output
        return [entry[3:] for entry in found.split("\0") if re.match("[ MTADCU?]{2} ", entry)]

    def checkout(self, commit: str, folder: str, log: str, interrupt: Callable[[], None]) -> None:
        """Write the files of a commit into the folder, without `.git`. Raises BuildFailed."""
        index = f"{self.path}/checkout-index"
        files.remove(index)
        before = files.size(log)
        checking_out = Work(self.commands, folder, self._env | {"GIT_INDEX_FILE": index}, interrupt)
        argv = self._git(f"--work-tree={folder}", "read-tree", "--reset", "-u", commit)
        if checking_out.run(argv, folder, log) != 0:
            output = files.tail(log, 20, before)
            raise BuildFailed(f"cannot check out {commit[:12]}: {_gist(output)}", output, log)

    def _fetch(self, fetch: list[str], interrupt: Callable[[], None]) -> tuple[int, str]:
        """Fetch into the mirror, made or repaired where it must be; returns git's status and words."""
        work.end(self.path)  # a fetch whose zddeploy is dead
        for folder, _, names in os.walk(self.path):
            for name in names:
                if name.endswith(".lock"):  # of a git that was killed: the deploy's own lock keeps others out
                    files.remove(f"{folder}/{name}")
        files.remove(self.log)
        fetching = Work(self.commands, self.path, self._env, interrupt)
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        try:
            status = fetching.run(["git", "init", "--quiet", "--bare", "--template=", self.path], "/", self.log)
            if status == 0:
                status = fetching.run(self._git(*fetch), "/", self.log)
        except FileNotFoundError as error:
            raise UsageError("git is not installed, and source is a git repository", hint="install git") from error
        return status, "\n".join(files.tail(self.log, 40))

    def _cannot_fetch(self, words: str) -> DeployFailed | UsageError:
        if trust := re.search("git config --global --add safe.directory .*", words):
            told = f"git does not trust {self.shown}: it belongs to another user"
            return UsageError(told, hint=f"if you do, run `{trust[0]}`")
        return DeployFailed(f"cannot fetch {self.shown}: {_gist(words.splitlines())}")

    def _parse(self, rev: str) -> str:
        argv = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        result = self.commands.run(argv, env=self._env)
        found = result.output.split()[-1:]
        if result.status == 0 and found and re.fullmatch("[0-9a-f]{40,64}", found[0]):
            return found[0]
        argv = self._git("branch", "--sort=-committerdate", "--format=%(refname:short)")
        branches = self.commands.run(argv, env=self._env).output.split()[:5]
        because = f" ({result.output.splitlines()[0]})" if result.output else ""
        raise UsageError(
            f"{self.shown} has no branch, tag or commit {rev!r}{because}",
            hint=f"its latest branches: {', '.join(branches)}" if branches else None,
        )

    def _git(self, *words: str) -> list[str]:
        return [*_GIT, f"--git-dir={self.path}", *words]


def _gist(output: list[str]) -> str:
    """Return the line of git's output that says why."""
    lines = [line for line in output if line.strip()]
    told = [line for line in lines if re.match("(remote: )?(fatal|error):", line)]
    return _without_password((told or lines or ["no reason given"])[0])


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
