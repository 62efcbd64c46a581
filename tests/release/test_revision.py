"""Names of commits: they mean what they mean in the source, and never two things."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.errors import UsageError

from .house import House, Repository
from .test_source import BOTH, source_of


@pytest.fixture
def history(repository: Repository) -> list[str]:
    """Three commits on main, which is checked out, and an old branch that is called as git calls its first one."""
    repository.commit(app_py="old")
    repository.git("branch", "master")
    repository.commit(app_py="old, too")
    repository.git("branch", "-f", "master")
    commits = [repository.commit(app_py=text) for text in ("one", "two", "three")]
    repository.git("tag", "-a", "-m", "annotated", "v1.0", commits[0])
    repository.git("commit", "--quiet", "--amend", "-m", "message of the third")
    return [*commits[:2], repository.git("rev-parse", "HEAD")]


@BOTH
def test_what_is_relative_is_relative_to_the_head_of_the_source(
    house: House, repository: Repository, history: list[str], url: bool
) -> None:
    one, two, three = history
    releases = house.releases(source_of(repository, url))
    releases.resolve("master")  # the mirror's own HEAD may be that one
    meant = {
        "HEAD~1": two,
        "HEAD^": two,
        "@": three,
        "@~2": one,
        "main~2": one,
        "HEAD~1^{/^message}": two,
        ":/message of": three,
        "v1.0^{}": one,
        "v1.0": one,
        "tags/v1.0": one,
        "refs/heads/main": three,
        "heads/main^": two,
        three[:8]: three,
        f"{three}^": two,
    }

    assert {rev: releases.resolve(rev).commit for rev in meant} == meant

    repository.git("checkout", "--quiet", "master")
    master = repository.git("rev-parse", "HEAD")
    assert (releases.resolve("HEAD").commit, releases.resolve("main^").commit) == (master, two)
    assert releases.resolve("@^").commit == repository.git("rev-parse", "HEAD^")


def test_a_folder_has_a_log_and_a_source_that_is_far_away_shows_none(
    house: House, repository: Repository, history: list[str]
) -> None:
    before = repository.git("rev-parse", "HEAD@{1}")
    releases = house.releases(repository.path)
    assert releases.resolve("HEAD@{1}").commit == before
    assert releases.resolve("main@{1}").commit == before
    for rev, reason in (("HEAD@{99}", "only has"), ("main@{2001-01-01}", "only goes back to")):
        with pytest.raises(UsageError, match=f"has no branch, tag or commit .*{reason}"):
            releases.resolve(rev)

    with pytest.raises(UsageError, match="needs the reflog"):
        house.releases(f"file://{repository.path}").resolve("HEAD@{1}")


@BOTH
def test_a_name_of_a_branch_and_a_tag_is_refused_and_both_are_named(
    house: House, repository: Repository, history: list[str], url: bool
) -> None:
    one, two, three = history
    repository.git("tag", "stable", one)
    repository.git("branch", "stable", two)
    releases = house.releases(source_of(repository, url))

    for rev in ("stable", "stable~1"):
        with pytest.raises(UsageError, match="has more than one 'stable'") as caught:
            releases.resolve(rev)
        assert caught.value.hint == "say which is meant: `refs/heads/stable` or `refs/tags/stable`"
    assert releases.resolve("refs/heads/stable").commit == two
    assert releases.resolve("refs/tags/stable").commit == one
    repository.git("config", "core.warnAmbiguousRefs", "false")
    with pytest.raises(UsageError, match="has more than one 'stable'"):
        releases.resolve("stable")
    assert releases.resolve().commit == three


@BOTH
def test_a_branch_that_is_called_like_a_commit_does_not_take_its_place(
    house: House, repository: Repository, history: list[str], url: bool
) -> None:
    one, two, three = history
    repository.git("branch", two[:8], one)
    repository.git("update-ref", f"refs/heads/{three}", one)
    repository.git("update-ref", "refs/heads/HEAD", one)
    repository.git("update-ref", "refs/tags/HEAD", one)
    releases = house.releases(source_of(repository, url))

    with pytest.raises(UsageError, match=f"has more than one '{two[:8]}'") as caught:
        releases.resolve(two[:8])
    assert caught.value.hint == f"say which is meant: `refs/heads/{two[:8]}` or `{two}`"
    assert releases.resolve(two).commit == two
    assert releases.resolve(three).commit == three
    assert releases.resolve(f"refs/heads/{three}").commit == one
    assert [releases.resolve(rev).commit for rev in (None, "HEAD", "@")] == [three] * 3


@BOTH
def test_names_that_only_our_own_copy_has_mean_nothing(
    house: House, repository: Repository, history: list[str], url: bool
) -> None:
    releases = house.releases(source_of(repository, url))
    releases.resolve()
    releases.resolve("main")

    for rev in ("FETCH_HEAD", "ORIG_HEAD", "^main", "main..v1.0", "main:app.py", ":app.py", "main^@", "--all"):
        with pytest.raises(UsageError, match="has no branch, tag or commit"):
            releases.resolve(rev)


@BOTH
def test_a_branch_that_is_gone_or_renamed_or_rewritten_is_so_at_once(
    house: House, repository: Repository, history: list[str], url: bool
) -> None:
    one, two, _ = history
    repository.git("branch", "a", one)
    releases = house.releases(source_of(repository, url))
    assert releases.resolve("a").commit == one

    repository.git("branch", "-m", "a", "a/b")
    assert releases.resolve("a/b").commit == one
    with pytest.raises(UsageError, match="no branch, tag or commit 'a'"):
        releases.resolve("a")
    repository.git("branch", "-m", "a/b", "a")
    repository.git("branch", "--force", "a", two)
    assert releases.resolve("a").commit == two
    assert releases.resolve("a~1").commit == one
    repository.git("branch", "-D", "a")
    with pytest.raises(UsageError, match="no branch, tag or commit 'a'"):
        releases.resolve("a")


def test_a_replaced_commit_is_built_as_it_was_made(house: House, repository: Repository, history: list[str]) -> None:
    one, _, three = history
    repository.git("replace", three, one)
    releases = house.releases(repository.path)

    revision = releases.resolve()

    assert revision.commit == three
    assert (Path(releases.build(revision, house.log)) / "app.py").read_text() == "three"
