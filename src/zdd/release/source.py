"""A source that is a git repository on this machine, and the commits that names of revisions mean."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from zdd.errors import DeployFailed, UsageError, shorten
from zdd.host.command import Commands, Result
from zdd.release.work import Work

Ask = Callable[..., Result]  # runs git with these arguments in one repository

ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_AMBIGUOUS = re.compile(r"^warning: refname '(.+)' is ambiguous", re.MULTILINE)
_REASON = re.compile(r"^(?:error: .*|fatal: (?!Needed a single revision).*|warning: log for .*)", re.MULTILINE)
_SHALLOW = (
    "it is a shallow clone, with its latest commits only: fetch all of them"
    " (actions/checkout: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`; by hand: `git fetch --unshallow`)"
)

# No hooks. Housekeeping finishes before git ends, instead of in the background.
GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false")
_LOOKING = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=all")
_DUBIOUS = re.compile("detected dubious ownership in repository at '(.*)'")
_SHOWN_BRANCHES = 5
_EMPTY_TREE = {  # for each length of an id
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


def locate(source: str) -> tuple[str, str] | None:
    """
    Return the git repository that a source is or is a part of, and the folder in it; None if there is none.

    A URL and a bundle are repositories, and so is a folder that is bare or has `.git`. The folder in it is empty except
    for a source below the top of a working tree.
    """
    if not os.path.isabs(source) or os.path.isfile(source):
        return source, ""
    if os.path.lexists(f"{source}/.git") or all(os.path.exists(f"{source}/{part}") for part in ("HEAD", "objects")):
        return source, ""
    real = os.path.realpath(source)
    top = os.path.dirname(real)
    while top != "/" and not os.path.lexists(f"{top}/.git"):
        top = os.path.dirname(top)
    return (top, os.path.relpath(real, top)) if os.path.lexists(f"{top}/.git") and os.path.isdir(real) else None


class SourceFolder:
    """A folder that is a git repository: bare, with a working tree, or a linked working tree."""

    def __init__(self, path: str, commands: Commands, env: Mapping[str, str]) -> None:
        self.path = path
        self.commands = commands
        # If the folder turns out to be no repository, git must not use one in a parent folder.
        self._env = {**env, "GIT_CEILING_DIRECTORIES": os.path.dirname(os.path.realpath(path))}
        self._trusted: list[str] = []

    def commit(self, rev: str) -> str:
        """
        Return the commit that `rev` names in this repository, relative names and reflog entries included.

        Raises UsageError if there is none, if the name is ambiguous, or if git does not trust the repository;
        DeployFailed if HEAD has no commit.
        """
        try:
            return find_commit(self._ask, rev, self.path)
        except UsageError:
            if rev == "HEAD" and self._ask("rev-parse", "--verify", "--quiet", "HEAD").output == "":
                raise self._headless() from None
            raise

    def _headless(self) -> DeployFailed:
        """Return the error for a HEAD without a commit."""
        named = self._ask("symbolic-ref", "--short", "--quiet", "HEAD").output.strip()
        listed = self._ask("for-each-ref", "--sort=-committerdate", "--format=%(refname:lstrip=2)", "refs/heads")
        return headless(self.path, named, listed.output.split())

    def uncommitted(self, commit: str, prefix: str = "") -> list[str]:
        """Return the files in a folder that differ from this commit, if it is checked out; else nothing."""
        if not os.path.lexists(f"{self.path}/.git"):
            return []
        if self._ask("rev-parse", "HEAD").output.strip() != commit:
            return []
        status = ("status", "--porcelain", "-z", "--no-renames", "--", prefix or ".")
        listed = self._ask(*status, stdout_alone=True).output
        return [entry[3:] for entry in listed.split("\0") if re.match("[ MTADCU?]{2} ", entry)]

    def setting(self, key: str) -> str | None:
        """Return the value of a key in git's configuration of this repository, None if it has none."""
        result = self._ask("config", "--get", key)
        return result.output.strip() or None if result.status == 0 else None

    def copies_of(self, submodule: str) -> list[str]:
        """Return the repository of a submodule that `git submodule` has made in this one, if there is one."""
        common = self._ask("rev-parse", "--git-common-dir").output.strip()
        path = os.path.join(self.path, common, "modules", submodule)
        return [path] if ".." not in submodule.split("/") and os.path.isdir(f"{path}/objects") else []

    def ignores(self, folder: str) -> bool:
        """Return whether git ignores this folder."""
        return self._ask("check-ignore", "--quiet", "--", folder).status == 0

    def complete(self, commit: str, work: Work, log: str) -> None:
        """
        Fetch the files of this commit that a partial clone lacks, from the repository that it was cloned from.

        git fetches a missing file when it reads it, but refuses to while it serves a fetch.
        """
        compare = ["diff-tree", "-r", "--shortstat", "--no-ext-diff", "--no-textconv", _EMPTY_TREE[len(commit)], commit]
        work.run(self._git(*compare), "/", log)

    def complete_lfs(self, commit: str, work: Work, log: str) -> None:
        """Fetch the files of this commit that are in Git LFS, from the repository that this one was cloned from."""
        if self.setting("remote.origin.url"):
            work.run(self._git("lfs", "fetch", "--include=", "--exclude=", "origin", commit), "/", log)

    def _ask(self, *arguments: str, stdout_alone: bool = False) -> Result:
        result = self.commands.run(self._git(*arguments), env=self._env, stdout_alone=stdout_alone)
        if not self._trusted and (dubious := _DUBIOUS.search(result.output)):
            # git checks the working tree here, but only .git when it serves a fetch. Trust in .git is enough.
            asked = self.commands.run([*GIT, "ls-remote", "--", self.path, "HEAD"], env=self._env)
            if asked.status != 0 and (error := untrusted(self.path, asked.output + result.output)):
                raise error
            self._trusted = ["-c", f"safe.directory={dubious[1]}"]
            return self._ask(*arguments, stdout_alone=stdout_alone)
        return result

    def _git(self, *arguments: str) -> list[str]:
        return [*GIT, *_LOOKING, *self._trusted, "-C", self.path, *arguments]


def headless(shown: str, named: str, branches: Sequence[str]) -> DeployFailed:
    """Return the error for a repository whose HEAD has no commit; `named` is the branch that it names, if known."""
    branch = f"the branch {named}" if named else "a branch"
    return DeployFailed(
        f"cannot fetch {shown}: its HEAD names {branch}, which has no commit",
        hint=f"set rev in [release] to one of its branches: {shorten(branches, _SHOWN_BRANCHES)}"
        if branches
        else "it has no branches yet: commit something",
    )


def fetched(path: str) -> set[str]:
    """Return the commits in a FETCH_HEAD. The names of branches in it may have any bytes but that of a new line."""
    try:
        with open(path, "rb") as file:
            return {line.split()[0].decode("ascii", "replace") for line in file if line.strip()}
    except FileNotFoundError:
        return set()


def untrusted(shown: str, output: str) -> UsageError | None:
    """Return the error to raise if git has refused a repository of another user, else None."""
    if fix := re.search("git config --global --add safe.directory .*", output):
        return UsageError(f"git does not trust {shown}: it belongs to another user", hint=f"if you do, run `{fix[0]}`")
    return None


def find_commit(ask: Ask, rev: str, shown: str, expression: str | None = None) -> str:
    """
    Return the commit that `rev` names in the repository `shown`; `ask` runs git there.

    `expression` is what git gets in place of `rev`. Raises UsageError if there is no such commit, or if the name is
    ambiguous: git itself would choose one meaning and only print a warning.
    """
    asked = expression or rev
    if not asked.startswith(":/"):  # after `:/` git takes everything as the text to search for
        asked += "^{commit}"
    result = ask("-c", "core.warnAmbiguousRefs=true", "rev-parse", "--verify", "--end-of-options", asked)
    reason = _REASON.search(result.output)
    for name in _AMBIGUOUS.findall(result.output):
        if name not in ("HEAD", "@") and not ID.fullmatch(name):  # git never takes these for a branch
            raise _ambiguous(ask, name, shown)
    commit = (result.output.splitlines() or [""])[-1]
    is_substitute = reason is not None and reason[0].startswith("warning: log for")  # git gives the oldest it knows
    if result.status == 0 and not is_substitute and ID.fullmatch(commit):
        return commit
    raise _unknown(ask, rev, shown, f" ({reason[0]})" if reason else "")


def _ambiguous(ask: Ask, name: str, shown: str) -> UsageError:
    wanted = [f"refs/heads/{name}", f"refs/tags/{name}", f"refs/remotes/{name}", f"refs/{name}"]
    refs = ask("for-each-ref", "--format=%(refname)", *wanted).output.split()
    meanings = [ref for ref in refs if ref in wanted]
    if re.fullmatch("[0-9a-f]{4,}", name):
        meanings += filter(ID.fullmatch, ask("rev-parse", f"--disambiguate={name}").output.split())
    ways = " or ".join(f"`{meaning}`" for meaning in meanings)
    return UsageError(f"{shown} has more than one {name!r}", hint=f"say which is meant: {ways}" if ways else None)


def _unknown(ask: Ask, rev: str, shown: str, reason: str) -> UsageError:
    listed = ask("for-each-ref", "--sort=-committerdate", "--count=5", "--format=%(refname:lstrip=2)", "refs/heads")
    names = listed.output.split() if listed.status == 0 else []
    branches = f"its latest branches: {', '.join(names)}" if names else ""
    shallow = _SHALLOW if ask("rev-parse", "--is-shallow-repository").output.strip() == "true" else ""
    hint = "; ".join(filter(None, [shallow, branches])) or None
    return UsageError(f"{shown} has no branch, tag or commit {rev!r}{reason}", hint=hint)
