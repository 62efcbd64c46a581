"""A git repository as source: S contains a bare mirror, which is fetched before each release."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import partial

from zdd.errors import DeployFailed, UsageError, ZddError
from zdd.host import files, trees
from zdd.host.command import Commands, Result
from zdd.release import git_environment, lfs, source, submodules, work
from zdd.release.checkout import DAMAGED, Checkout
from zdd.release.filters import Filters
from zdd.release.source import GIT, SourceFolder
from zdd.release.submodules import Submodule
from zdd.release.unreachable import fetch_failed, gist, without_password
from zdd.release.work import Work

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
_OTHER_HASH = re.compile("mismatched algorithms: client .*; server (sha1|sha256)")
_HEAD = "refs/zdd/HEAD"  # in the mirror: the commit fetched from a folder, or the HEAD of any other source


class Mirror:
    """
    A bare repository in S with the commits fetched from the source: a cache, which may be removed at any time.

    From a folder on this machine it fetches one commit without history, since git resolves names in the folder itself.
    From a URL or a bundle it fetches all branches and tags. `prefix` is the folder of the repository that is deployed,
    empty for all of it. `notice` gets messages for a person.
    """

    def __init__(
        self,
        path: str,
        source: str,
        commands: Commands,
        interrupt: Callable[[], None],
        notice: Callable[[str], None],
        prefix: str = "",
    ) -> None:
        self.path = path
        self.source = source
        self.prefix = prefix
        self.notice = notice
        self.shown = without_password(source)
        self.commands = commands
        self.interrupt = interrupt
        self.log = f"{path}.log"
        self._env = git_environment.of_git()
        self.folder = SourceFolder(source, commands, self._env)
        self._hash = "sha256" if "objectformat = sha256" in (files.read(f"{path}/config", "replace") or "") else "sha1"

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
        """
        Write the files of a commit into an empty folder, without `.git`, those of Git LFS and of submodules included.

        Raises BuildFailed, or DeployFailed if a submodule cannot be fetched.
        """
        into = f"{self.path}/checkout" if self.prefix else folder
        if self.prefix:
            trees.remove(into)
            os.mkdir(into, 0o755)
        tree = Checkout(self.path, commit, self.prefix, into, self.commands, self._env, self.interrupt, log)
        filters = Filters(tree)
        filters.require()
        tree.write()
        self._fill(tree)
        filters.check(self.notice)
        for module in submodules.find(tree, self.notice):
            self._check_out_submodule(module, f"{into}/{module.path}", log)
        if self.prefix:
            os.rename(f"{into}/{self.prefix}", folder)
            trees.remove(into)

    def has_folder(self, commit: str) -> bool:
        """Return whether the commit has the folder `prefix`."""
        return not self.prefix or self._ask("cat-file", "-t", f"{commit}:{self.prefix}").output.strip() == "tree"

    def _fill(self, tree: Checkout) -> None:
        """Write the files of Git LFS; a folder on this machine may lack some that it can get itself."""
        if not os.path.isdir(self.source):
            lfs.fill(tree, self.shown, self.source, lambda: None)
            return
        work = Work(self.commands, self.path, self._env, self.interrupt)
        complete = partial(self.folder.complete_lfs, tree.commit, work, tree.log)
        lfs.fill(tree, self.shown, f"file://{self.source}", complete)

    def _check_out_submodule(self, module: Submodule, folder: str, log: str) -> None:
        """Fetch the commit of a submodule, from the source's own copy if it has one, else from its URL."""
        places = submodules.places(module, self.source, self.folder)
        path = f"{self.path}/modules/{hashlib.sha256(module.name.encode()).hexdigest()[:12]}"
        for place in places:
            mirror = Mirror(path, place, self.commands, self.interrupt, self.notice)
            try:
                mirror.fetch(module.commit)
                break
            except ZddError as error:
                if place == places[-1]:
                    error.message = f"submodule {module.path}: {error.message}"
                    raise
        os.makedirs(folder, exist_ok=True)
        mirror.checkout(module.commit, folder, log)

    def fetch(self, commit: str) -> None:
        """Fetch this commit, of which only the id is known. Raises DeployFailed, or UsageError."""
        if self._ask("rev-parse", "--verify", "--quiet", f"{_HEAD}^{{commit}}").output.strip() == commit:
            return
        if not self._fetch_commit(commit):
            return

        def has_arrived() -> bool:
            return self._ask("update-ref", _HEAD, commit).status == 0

        # Not every server gives a commit by its id.
        wanted = [*_FETCH, "--", self.source, *(f"+refs/{kind}/*:refs/{kind}/*" for kind in ("heads", "tags"))]
        if failure := self._bring(lambda: wanted, has_arrived):
            raise self._cannot_fetch(failure)

    def _commit_of_folder(self, rev: str) -> str:
        commit = self.folder.commit(rev)
        failure = self._fetch_commit(commit)
        if failure and "promisor remote" in failure:
            since = files.size(self.log)
            self.folder.complete(commit, Work(self.commands, self.path, self._env, self.interrupt), self.log)
            output = files.tail(self.log, 40, since)
            if failure := self._fetch_commit(commit):
                lacks = f"it is a partial clone without all files of {commit[:12]}"
                raise DeployFailed(
                    f"cannot fetch {self.shown}: {lacks}: {gist(output)}",
                    hint="clone it without --filter, or have the repository it was cloned from answer",
                )
        if failure:
            raise self._cannot_fetch(failure)
        return commit

    def _fetch_commit(self, commit: str) -> str | None:
        """Fetch one commit by its id; return git's output on failure."""
        self._use_hash("sha1" if len(commit) == 40 else "sha256")

        def has_arrived() -> bool:
            # git sets the ref once it has found everything that the commit needs.
            return self._ask("rev-parse", "--verify", "--quiet", f"{_HEAD}^{{commit}}").output.strip() == commit

        # Protocol 2 serves every commit by its id, even one that no branch contains.
        wanted = ["-c", "protocol.version=2", *_FETCH, "--depth=1", "--", self.source, f"+{commit}:{_HEAD}"]
        return self._bring(lambda: wanted, has_arrived)

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
            fetched = source.fetched(f"{self.path}/FETCH_HEAD")
            files.remove(f"{self.path}/FETCH_HEAD")  # else `rev` could name it
            ours = set(self._ask("for-each-ref", "--format=%(objectname)", *refs).output.split())
            return ours == fetched and (bool(ours) or not wants_head)

        if failure := self._bring(wanted, has_arrived):
            if "couldn't find remote ref HEAD" in failure:
                listed = self._ask("ls-remote", "--heads", "--", self.source).output
                raise source.headless(self.shown, "", re.findall(r"\trefs/heads/(.+)", listed))
            raise self._cannot_fetch(failure)
        of_head = _HEAD + rev[len(base) :] if base in ("@", "HEAD") else rev
        return source.find_commit(self._ask, rev, self.shown, of_head)

    def _bring(self, wanted: Callable[[], list[str]], has_arrived: Callable[[], bool]) -> str | None:
        """Fetch, and if that fails because of the mirror, again into a new one. Return git's output on failure."""
        status, output = self._fetch(wanted())
        if status == 0 and has_arrived():
            return None
        if other := _OTHER_HASH.search(output):
            self._use_hash(other[1])
        is_useless = status == 0 or other or DAMAGED.search(output)
        if is_useless or (os.path.isdir(self.source) and not source.untrusted("", output)):
            trees.remove(self.path)
            status, output = self._fetch(wanted())
            if status == 0 and has_arrived():
                return None
        return output or "git fetch succeeded, but the mirror differs from the source"

    def _use_hash(self, name: str) -> None:
        """Have a mirror with ids of this kind; git cannot fetch from a repository with another kind."""
        if name != self._hash:
            trees.remove(self.path)
            self._hash = name

    def _fetch(self, wanted: list[str]) -> tuple[int, str]:
        """Run git with `wanted` in the mirror; return its exit status and output. Create the mirror if needed."""
        work.end(self.path)  # a fetch of a zddeploy that has died
        for folder, _, names in os.walk(self.path):
            for name in names:
                if name.endswith(".lock"):  # a killed git left it; the deploy's lock excludes any other git
                    files.remove(f"{folder}/{name}")
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        files.remove(self.log)
        with files.Opened(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL):  # for its owner only: it names the source
            pass
        files.remove(f"{self.path}/FETCH_HEAD")
        fetching = Work(self.commands, self.path, self._env | {"GIT_DEFAULT_HASH": self._hash}, self.interrupt)
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        status = fetching.run(["git", "init", "--quiet", "--bare", "--template=", self.path], "/", self.log)
        if status == 0:
            status = fetching.run(self._git(*wanted), "/", self.log)
        return status, "\n".join(files.tail(self.log, 40))

    def _cannot_fetch(self, output: str) -> DeployFailed | UsageError:
        return source.untrusted(self.shown, output) or fetch_failed(self.shown, self.source, output, self.log)

    def _ask(self, *arguments: str) -> Result:
        return self.commands.run(self._git(*arguments), env=self._env)

    def _git(self, *arguments: str) -> list[str]:
        return [*GIT, f"--git-dir={self.path}", *arguments]
