"""A git repository as source: a bare mirror of it in S, fetched before each release."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable

from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.host.command import Commands, Result
from zdd.instance import environment
from zdd.release import disk, revision, source, work
from zdd.release.failure import BuildFailed
from zdd.release.source import GIT, SourceFolder
from zdd.release.work import Work

# What git sets for its hooks, from which people deploy, all of `git rev-parse --local-env-vars`: another repository.
_OTHER_REPOSITORY = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|NAMESPACE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|QUARANTINE_PATH|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|NO_REPLACE_OBJECTS|IMPLICIT_WORK_TREE"
    "|INTERNAL_SUPER_PREFIX|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT)"
)
_DAMAGED = re.compile("bad object|corrupt|loose object|unable to read|not a valid object|not a git repository: ")
_HEAD = "refs/zdd/HEAD"  # in the mirror: what was fetched of a folder, or the HEAD of a source that is far away


def inherited() -> dict[str, str]:
    """Return our own environment, less CI marks and what a git hook is told of its own repository."""
    return {name: text for name, text in environment.inherited().items() if not _OTHER_REPOSITORY.fullmatch(name)}


def is_repository(source: str) -> bool:
    """Tell whether the source is a git repository: a URL, a bundle, or a folder that is bare or has `.git`."""
    if not os.path.isabs(source) or os.path.isfile(source):
        return True
    return os.path.lexists(f"{source}/.git") or all(os.path.exists(f"{source}/{part}") for part in ("HEAD", "objects"))


class Mirror:
    """
    What was fetched of the source, and all it leads to; a cache, which may be removed at any time.

    Of a folder on this machine that is one commit, without its history: what a name means is asked there. Of a source
    that is far away it is all branches and tags.
    """

    def __init__(self, path: str, source: str, commands: Commands) -> None:
        self.path = path
        self.source = source
        self.shown = _without_password(source)
        self.commands = commands
        self.log = f"{path}.log"
        self._env = inherited() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        self._folder = SourceFolder(source, commands, self._env)

    def commit(self, rev: str | None, interrupt: Callable[[], None]) -> str:
        """
        Return the commit that a branch, tag or any other name means in the source, fetched; None is its HEAD.

        Raises UsageError for what it does not have, what may mean two commits, for a repository that git does not
        trust, and without git; DeployFailed when it cannot be fetched.
        """
        try:
            if os.path.isdir(self.source):
                return self._commit_of_folder(rev or "HEAD", interrupt)
            return self._commit_from_afar(rev or "HEAD", interrupt)
        except FileNotFoundError as error:
            raise UsageError("git is not installed, and source is a git repository", hint="install git") from error

    def uncommitted(self, commit: str) -> list[str]:
        """Return what in the source's own folder differs from this commit, where that is what is checked out there."""
        return self._folder.uncommitted(commit)

    def checkout(self, commit: str, folder: str, log: str, interrupt: Callable[[], None]) -> None:
        """Write the files of a commit into the folder, which is empty, without `.git`. Raises BuildFailed."""
        index = f"{self.path}/checkout-index"
        files.remove(index)
        before = files.size(log)
        env = self._env | {"GIT_INDEX_FILE": index}
        there = self._git(f"--work-tree={folder}")
        argv = [*there, "read-tree", "--no-sparse-checkout", "--reset", "-u", commit]
        status = Work(self.commands, folder, env, interrupt).run(argv, folder, log)
        if status != 0:
            output = files.tail(log, 20, before)
            hint = None
            if _DAMAGED.search("\n".join(output)):
                disk.remove(self.path)
                hint = f"the copy of the repository in {self.path} was damaged and is removed: deploy again"
            raise BuildFailed(f"cannot check out {commit[:12]}: {_gist(output)}", output, log, hint=hint)
        # What is missing, or too much; what is changed is not asked, since filters (line ends, LFS) may change files.
        compare = ["diff-index", "--name-only", "--no-renames", "--ignore-submodules", "--diff-filter=ADTU", commit]
        compared = self.commands.run([*there, *compare, "--"], folder, env, math.inf, interrupt=interrupt)
        if compared.status != 0 or compared.output:
            wrong = compared.output.splitlines()
            raise BuildFailed(f"cannot check out {commit[:12]}: it is not all there: {_gist(wrong)}", wrong, log)

    def _commit_of_folder(self, rev: str, interrupt: Callable[[], None]) -> str:
        commit = self._folder.commit(rev)

        def has_arrived() -> bool:
            found = self._ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}").output.strip()
            return bool(revision.ID.fullmatch(found))

        wanted = ["--depth=1", "--", self.source, f"+{commit}:{_HEAD}"]
        words = self._bring(lambda: wanted, has_arrived, interrupt)
        if words and "promisor remote" in words:
            since = files.size(self.log)
            self._folder.complete(commit, Work(self.commands, self.path, self._env, interrupt), self.log)
            told = files.tail(self.log, 40, since)
            if words := self._bring(lambda: wanted, has_arrived, interrupt):
                lacks = f"it is a partial clone without all files of {commit[:12]}"
                raise DeployFailed(
                    f"cannot fetch {self.shown}: {lacks}: {_gist(told)}",
                    hint="clone it without --filter, or have the repository it was cloned from answer",
                )
        if words:
            raise self._cannot_fetch(words)
        return commit

    def _commit_from_afar(self, rev: str, interrupt: Callable[[], None]) -> str:
        if "@{" in rev:
            raise UsageError(
                f"{rev!r} asks for the log of a repository, and {self.shown} keeps its own to itself",
                hint="name a branch, a tag or a commit",
            )
        base = re.split("[~^:]", rev, maxsplit=1)[0]
        wants_head = base in ("", "@", "HEAD", _HEAD, "zdd/HEAD")
        refs = ["refs/heads", "refs/tags", *([_HEAD] if wants_head else [])]

        def wanted() -> list[str]:
            # A source that was shallow may not be so any more; and one that is shallow is as good as any other.
            depth = "--unshallow" if files.size(f"{self.path}/shallow") else "--update-shallow"
            specs = [f"+{ref}/*:{ref}/*" for ref in refs[:2]] + [f"+HEAD:{ref}" for ref in refs[2:]]
            return [depth, "--prune", "--", self.source, *specs]

        def has_arrived() -> bool:
            # git ends with 0 although it has rejected some refs: those are not in FETCH_HEAD, and ours are older ones.
            fetched = {line.split()[0] for line in (files.read(f"{self.path}/FETCH_HEAD") or "").splitlines()}
            files.remove(f"{self.path}/FETCH_HEAD")  # a name that no source has given
            ours = set(self._ask("for-each-ref", "--format=%(objectname)", *refs).output.split())
            return ours == fetched and (bool(ours) or not wants_head)

        if words := self._bring(wanted, has_arrived, interrupt):
            raise self._cannot_fetch(words)
        of_head = _HEAD + rev[len(base) :] if base in ("@", "HEAD") else rev
        return revision.find(self._ask, rev, self.shown, of_head)

    def _bring(
        self, wanted: Callable[[], list[str]], has_arrived: Callable[[], bool], interrupt: Callable[[], None]
    ) -> str | None:
        """Fetch, into a new mirror where the old one is in the way; returns git's words where that failed."""
        status, words = self._fetch(wanted(), interrupt)
        if status == 0 and has_arrived():
            return None
        if status == 0 or _DAMAGED.search(words) or (os.path.isdir(self.source) and not source.untrusted("", words)):
            disk.remove(self.path)
            status, words = self._fetch(wanted(), interrupt)
            if status == 0 and has_arrived():
                return None
        return words or "git has fetched something else than what the source has"

    def _fetch(self, wanted: list[str], interrupt: Callable[[], None]) -> tuple[int, str]:
        """Fetch into the mirror, made where it must be; returns git's status and words."""
        work.end(self.path)  # a fetch whose zddeploy is dead
        for folder, _, names in os.walk(self.path):
            for name in names:
                if name.endswith(".lock"):  # of a git that was killed: the deploy's own lock keeps others out
                    files.remove(f"{folder}/{name}")
        files.remove(self.log)
        files.remove(f"{self.path}/FETCH_HEAD")
        fetching = Work(self.commands, self.path, self._env, interrupt)
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        status = fetching.run(["git", "init", "--quiet", "--bare", "--template=", self.path], "/", self.log)
        if status == 0:
            fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *wanted]
            status = fetching.run(self._git("-c", "protocol.version=2", *fetch), "/", self.log)
        return status, "\n".join(files.tail(self.log, 40))

    def _cannot_fetch(self, words: str) -> DeployFailed | UsageError:
        reason = _gist(words.splitlines())
        return source.untrusted(self.shown, words) or DeployFailed(f"cannot fetch {self.shown}: {reason}")

    def _ask(self, *words: str) -> Result:
        return self.commands.run(self._git(*words), env=self._env)

    def _git(self, *words: str) -> list[str]:
        return [*GIT, f"--git-dir={self.path}", *words]


def _gist(output: list[str]) -> str:
    """Return the line of git's output that says why."""
    lines = [line for line in output if line.strip()]
    told = [line for line in lines if re.match("(remote: )?(fatal|error):", line)]
    return _without_password((told or lines or ["no reason given"])[0])


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
