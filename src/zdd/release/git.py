"""A git repository as source: S contains a bare mirror, which is fetched before each release."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable

from zdd.errors import DeployFailed, UsageError
from zdd.host import files
from zdd.host.command import Commands, Result
from zdd.instances import environment
from zdd.release import source, work
from zdd.release.source import GIT, SourceFolder
from zdd.release.work import BuildFailed, Work

# Variables that git sets for hooks, from which people deploy (`git rev-parse --local-env-vars`): another repository.
_OTHER_REPOSITORY = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|NAMESPACE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    "|QUARANTINE_PATH|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|NO_REPLACE_OBJECTS|IMPLICIT_WORK_TREE"
    "|INTERNAL_SUPER_PREFIX|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT)"
)
_DAMAGED = re.compile("bad object|corrupt|loose object|unable to read|not a valid object|not a git repository: ")
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
_HEAD = "refs/zdd/HEAD"  # in the mirror: the commit fetched from a folder, or the HEAD of any other source


def inherited() -> dict[str, str]:
    """Return our own environment without CI marks and without the variables of a git hook's repository."""
    return {name: text for name, text in environment.inherited().items() if not _OTHER_REPOSITORY.fullmatch(name)}


def is_repository(source: str) -> bool:
    """Return whether the source is a git repository: a URL, a bundle, or a folder that is bare or has `.git`."""
    if not os.path.isabs(source) or os.path.isfile(source):
        return True
    return os.path.lexists(f"{source}/.git") or all(os.path.exists(f"{source}/{part}") for part in ("HEAD", "objects"))


class Mirror:
    """
    A bare repository in S with the commits fetched from the source: a cache, which may be removed at any time.

    From a folder on this machine it fetches one commit without history, since git resolves names in the folder itself.
    From a URL or a bundle it fetches all branches and tags.
    """

    def __init__(self, path: str, source: str, commands: Commands, interrupt: Callable[[], None]) -> None:
        self.path = path
        self.source = source
        self.shown = _without_password(source)
        self.commands = commands
        self.interrupt = interrupt
        self.log = f"{path}.log"
        self._env = inherited() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        self.folder = SourceFolder(source, commands, self._env)

    def commit(self, rev: str | None) -> str:
        """
        Fetch and return the commit that `rev` names in the source; None means the source's HEAD.

        Raises UsageError if the source has no such commit, if the name is ambiguous, if git does not trust the
        repository, or if git is not installed; DeployFailed if the fetch fails.
        """
        try:
            if os.path.isdir(self.source):
                return self._commit_of_folder(rev or "HEAD")
            return self._commit_of_url(rev or "HEAD")
        except FileNotFoundError as error:
            if error.filename != "git":
                raise
            raise UsageError("git is not installed, and source is a git repository", hint="install git") from error

    def checkout(self, commit: str, folder: str, log: str) -> None:
        """Write the files of a commit into an empty folder, without `.git`. Raises BuildFailed."""
        index = f"{self.path}/checkout-index"
        files.remove(index)
        before = files.size(log)
        env = self._env | {"GIT_INDEX_FILE": index}
        there = self._git(f"--work-tree={folder}")
        argv = [*there, "read-tree", "--no-sparse-checkout", "--reset", "-u", commit]
        status = Work(self.commands, folder, env, self.interrupt).run(argv, folder, log)
        if status != 0:
            output = files.tail(log, 20, before)
            hint = None
            if _DAMAGED.search("\n".join(output)):
                files.remove_tree(self.path)
                hint = f"the copy of the repository in {self.path} was damaged and is removed: deploy again"
            raise BuildFailed(f"cannot check out {commit[:12]}: {_gist(output)}", output, log, hint=hint)
        # Finds missing and extra files, but not changed ones: filters (line endings, LFS) may change files.
        compare = ["diff-index", "--name-only", "--no-renames", "--ignore-submodules", "--diff-filter=ADTU", commit]
        compared = self.commands.run([*there, *compare, "--"], folder, env, math.inf, interrupt=self.interrupt)
        if compared.status != 0 or compared.output:
            wrong = compared.output.splitlines()
            raise BuildFailed(f"cannot check out {commit[:12]}: it is incomplete: {_gist(wrong)}", wrong, log)

    def _commit_of_folder(self, rev: str) -> str:
        commit = self.folder.commit(rev)

        def has_arrived() -> bool:
            # git sets the ref once it has found everything that the commit needs.
            return self._ask("rev-parse", "--verify", "--quiet", f"{_HEAD}^{{commit}}").output.strip() == commit

        # Protocol 2 serves every commit by its id, even one that no branch contains.
        wanted = ["-c", "protocol.version=2", *_FETCH, "--depth=1", "--", self.source, f"+{commit}:{_HEAD}"]
        failure = self._bring(lambda: wanted, has_arrived)
        if failure and "promisor remote" in failure:
            since = files.size(self.log)
            self.folder.complete(commit, Work(self.commands, self.path, self._env, self.interrupt), self.log)
            output = files.tail(self.log, 40, since)
            if failure := self._bring(lambda: wanted, has_arrived):
                lacks = f"it is a partial clone without all files of {commit[:12]}"
                raise DeployFailed(
                    f"cannot fetch {self.shown}: {lacks}: {_gist(output)}",
                    hint="clone it without --filter, or have the repository it was cloned from answer",
                )
        if failure:
            raise self._cannot_fetch(failure)
        return commit

    def _commit_of_url(self, rev: str) -> str:
        if "@{" in rev:
            raise UsageError(
                f"{rev!r} needs the reflog of {self.shown}, which git does not fetch",
                hint="name a branch, a tag or a commit",
            )
        base = re.split("[~^:]", rev, maxsplit=1)[0]
        wants_head = base in ("", "@", "HEAD", _HEAD, "zdd/HEAD")
        refs = ["refs/heads", "refs/tags", *([_HEAD] if wants_head else [])]

        def wanted() -> list[str]:
            # The source may be shallow now, or may have got its full history since the last fetch.
            depth = "--unshallow" if files.size(f"{self.path}/shallow") else "--update-shallow"
            specs = [f"+{ref}/*:{ref}/*" for ref in refs[:2]] + [f"+HEAD:{ref}" for ref in refs[2:]]
            return [*_FETCH, depth, "--prune", "--", self.source, *specs]

        def has_arrived() -> bool:
            # git exits with 0 even if it rejected refs. FETCH_HEAD lacks those, and the mirror has their old values.
            fetched = _fetched(f"{self.path}/FETCH_HEAD")
            files.remove(f"{self.path}/FETCH_HEAD")  # else `rev` could name it
            ours = set(self._ask("for-each-ref", "--format=%(objectname)", *refs).output.split())
            return ours == fetched and (bool(ours) or not wants_head)

        if failure := self._bring(wanted, has_arrived):
            raise self._cannot_fetch(failure)
        of_head = _HEAD + rev[len(base) :] if base in ("@", "HEAD") else rev
        return source.find_commit(self._ask, rev, self.shown, of_head)

    def _bring(self, wanted: Callable[[], list[str]], has_arrived: Callable[[], bool]) -> str | None:
        """Fetch, and if that fails because of the mirror, again into a new one. Return git's output on failure."""
        status, output = self._fetch(wanted())
        if status == 0 and has_arrived():
            return None
        if status == 0 or _DAMAGED.search(output) or (os.path.isdir(self.source) and not source.untrusted("", output)):
            files.remove_tree(self.path)
            status, output = self._fetch(wanted())
            if status == 0 and has_arrived():
                return None
        return output or "git fetch succeeded, but the mirror differs from the source"

    def _fetch(self, wanted: list[str]) -> tuple[int, str]:
        """Run git with `wanted` in the mirror; return its exit status and output. Create the mirror if needed."""
        work.end(self.path)  # a fetch of a zddeploy that has died
        for folder, _, names in os.walk(self.path):
            for name in names:
                if name.endswith(".lock"):  # a killed git left it; the deploy's lock excludes any other git
                    files.remove(f"{folder}/{name}")
        files.remove(self.log)
        files.remove(f"{self.path}/FETCH_HEAD")
        fetching = Work(self.commands, self.path, self._env, self.interrupt)
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        status = fetching.run(["git", "init", "--quiet", "--bare", "--template=", self.path], "/", self.log)
        if status == 0:
            status = fetching.run(self._git(*wanted), "/", self.log)
        return status, "\n".join(files.tail(self.log, 40))

    def _cannot_fetch(self, output: str) -> DeployFailed | UsageError:
        reason = _gist(output.splitlines())
        return source.untrusted(self.shown, output) or DeployFailed(f"cannot fetch {self.shown}: {reason}")

    def _ask(self, *arguments: str) -> Result:
        return self.commands.run(self._git(*arguments), env=self._env)

    def _git(self, *arguments: str) -> list[str]:
        return [*GIT, f"--git-dir={self.path}", *arguments]


def _fetched(path: str) -> set[str]:
    """Return the commits in a FETCH_HEAD. The names of branches in it may have any bytes but that of a new line."""
    try:
        with open(path, "rb") as file:
            return {line.split()[0].decode("ascii", "replace") for line in file if line.strip()}
    except FileNotFoundError:
        return set()


def _gist(output: list[str]) -> str:
    """Return the line of git's output with the reason."""
    lines = [line for line in output if line.strip()]
    reasons = [line for line in lines if re.match("(remote: )?(fatal|error):", line)]
    return _without_password((reasons or lines or ["no reason given"])[0])


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
