"""Resolves the name of a revision to a commit, by asking git in the repository that the name refers to."""

from __future__ import annotations

import re
from collections.abc import Callable

from zdd.errors import UsageError
from zdd.host.command import Result

Ask = Callable[..., Result]  # runs git with these arguments in one repository

ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_AMBIGUOUS = re.compile(r"^warning: refname '(.+)' is ambiguous", re.MULTILINE)
_REASON = re.compile(r"^(?:error: .*|fatal: (?!Needed a single revision).*|warning: log for .*)", re.MULTILINE)
_SHALLOW = (
    "it is a shallow clone, with its latest commits only: fetch all of them"
    " (actions/checkout: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`; by hand: `git fetch --unshallow`)"
)


def find(ask: Ask, rev: str, shown: str, expression: str | None = None) -> str:
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
    branches = f"its latest branches: {', '.join(listed.output.split())}" if listed.output.strip() else ""
    shallow = _SHALLOW if ask("rev-parse", "--is-shallow-repository").output.strip() == "true" else ""
    hint = "; ".join(filter(None, [shallow, branches])) or None
    return UsageError(f"{shown} has no branch, tag or commit {rev!r}{reason}", hint=hint)
