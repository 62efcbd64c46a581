"""Sources that have not all of their history: what is built is the very commit that they have, or nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from zdd.errors import DeployFailed, UsageError
from zdd.release.releases import Releases

from .house import House, Repository

BOTH = pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])


def clone(repository: Repository, path: Path, *options: str) -> Repository:
    """A clone that keeps to its options: of a path git would take all there is."""
    repository.git("clone", "--quiet", *options, f"file://{repository.path}", str(path))
    return Repository(path)


def pull(workspace: Repository, *options: str) -> str:
    """Have in the workspace what the repository that it was cloned from has now; returns the commit."""
    workspace.git("fetch", "--quiet", *options, "origin", "+refs/heads/main:refs/remotes/origin/main")
    workspace.git("checkout", "--quiet", "--force", "-B", "main", "refs/remotes/origin/main")
    return workspace.git("rev-parse", "HEAD")


def source_of(workspace: Repository, url: bool) -> str:
    return f"file://{workspace.path}" if url else str(workspace.path)


def built(house: House, releases: Releases, rev: str | None = None) -> tuple[str | None, str]:
    """Build a revision; returns the commit it is of and what its app.py says."""
    revision = releases.resolve(rev)
    return revision.commit, (Path(releases.build(revision, house.log)) / "app.py").read_text()


def put_before_git(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have this run where git is meant; `git` in it is git."""
    (folder / "bin").mkdir()
    (folder / "bin/git").write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\n{script}\n")
    (folder / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")


@BOTH
def test_a_shallow_clone_is_a_source_like_any_other(
    house: House, repository: Repository, tmp_path: Path, url: bool
) -> None:
    repository.commit(app_py="one")
    second = repository.commit(app_py="two")
    workspace = clone(repository, tmp_path / "workspace", "--depth=1")
    releases = house.releases(source_of(workspace, url))
    assert built(house, releases) == (second, "two")

    for text in ("three", "four"):
        commit = repository.commit(app_py=text)
        pull(workspace, "--depth=1")
        assert built(house, releases) == (commit, text)
        assert built(house, releases, "main") == (commit, text)


@BOTH
def test_a_source_that_was_full_and_is_shallow_and_is_full_again_is_followed(
    house: House, repository: Repository, tmp_path: Path, url: bool
) -> None:
    first = repository.commit(app_py="one")
    workspace = clone(repository, tmp_path / "workspace")
    releases = house.releases(source_of(workspace, url))
    assert built(house, releases) == (first, "one")

    repository.commit(app_py="not fetched")
    third = repository.commit(app_py="three")
    pull(workspace, "--depth=1")
    assert built(house, releases) == (third, "three")

    fourth = repository.commit(app_py="four")
    pull(workspace, "--unshallow")
    assert built(house, releases) == (fourth, "four")
    assert built(house, releases, "HEAD~3") == (first, "one")


@BOTH
def test_what_a_shallow_clone_does_not_have_is_refused_and_the_hint_says_how_to_have_it(
    house: House, repository: Repository, tmp_path: Path, url: bool
) -> None:
    first = repository.commit(app_py="one")
    repository.git("branch", "other")
    repository.commit(app_py="two")
    workspace = clone(repository, tmp_path / "workspace", "--depth=1")
    releases = house.releases(source_of(workspace, url))

    for rev in (first, first[:9], "HEAD~1", "main^", "other", "v1"):
        with pytest.raises(UsageError, match="has no branch, tag or commit") as caught:
            releases.resolve(rev)
        assert "`fetch-depth: 0`" in (caught.value.hint or "")
        assert "its latest branches: main" in (caught.value.hint or "")
    assert not list(house.state.glob("releases/*"))


@pytest.mark.parametrize("filter_", ["blob:none", "tree:0"])
def test_a_partial_clone_is_built_from_what_it_has_or_what_git_gets_for_it(
    house: House, repository: Repository, tmp_path: Path, filter_: str
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    first = repository.commit(app_py="one", lib__a_py="a")
    second = repository.commit(app_py="two", lib__b_py="b")
    third = repository.commit(app_py="three", lib__b_py="c")
    workspace = clone(repository, tmp_path / "workspace", f"--filter={filter_}")
    releases = house.releases(workspace.path)

    assert built(house, releases) == (third, "three")
    assert built(house, releases, "HEAD~1") == (second, "two")

    repository.path.rename(tmp_path / "elsewhere")
    with pytest.raises(
        DeployFailed, match=f"it is a partial clone without all files of {first[:12]}: fatal: "
    ) as caught:
        releases.resolve("HEAD~2")
    assert "--filter" in (caught.value.hint or "")
    assert sorted(os.listdir(releases.folder)) == sorted(
        name for one in (second, third) for name in (one[:12], f"{one[:12]}.complete")
    )


def test_a_bare_clone_may_be_shallow_as_well(house: House, repository: Repository, tmp_path: Path) -> None:
    repository.commit(app_py="one")
    second = repository.commit(app_py="two")
    bare, url = str(tmp_path / "bare.git"), f"file://{repository.path}"
    repository.git("clone", "--quiet", "--bare", "--depth=1", url, bare)
    releases = house.releases(bare)
    assert built(house, releases) == (second, "two")

    third = repository.commit(app_py="three")
    repository.git("--git-dir", bare, "fetch", "--quiet", "--depth=1", url, "+main:main")
    assert built(house, releases) == (third, "three")


def test_a_working_tree_of_another_repository_is_deployed_as_it_is_checked_out(
    house: House, repository: Repository, tmp_path: Path
) -> None:
    first = repository.commit(app_py="one")
    second = repository.commit(app_py="two")
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), first)
    releases = house.releases(tmp_path / "tree")

    assert built(house, releases) == (first, "one")
    assert built(house, releases, "main") == (second, "two")
    repository.git("-C", str(tmp_path / "tree"), "checkout", "--quiet", "--detach", "main")
    assert built(house, releases) == (second, "two")


@BOTH
def test_a_detached_head_is_what_it_says(house: House, repository: Repository, url: bool) -> None:
    first = repository.commit(app_py="one")
    repository.commit(app_py="two")
    repository.git("checkout", "--quiet", "--detach", first)
    loose = repository.commit(app_py="on no branch")
    releases = house.releases(source_of(repository, url))

    assert built(house, releases) == (loose, "on no branch")
    assert built(house, releases, "HEAD~1") == (first, "one")


def test_a_folder_that_is_no_repository_after_all_is_not_a_part_of_the_one_above_it(
    house: House, repository: Repository
) -> None:
    repository.commit(app_py="one")
    (repository.path / "inner/.git").mkdir(parents=True)

    with pytest.raises(UsageError, match="not a git repository"):
        house.releases(repository.path / "inner").resolve()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_repository_of_another_user_is_trusted_only_where_git_has_said_so(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit(app_py="one")
    for path in (repository.path, repository.path / ".git"):
        os.chown(path, 12345, 12345)
    config = ["git", "config", "--global", "--add", "safe.directory"]
    put_before_git(tmp_path, monkeypatch, 'case "$*" in *ls-remote*) echo "fatal: no"; exit 1;; esac; exec git "$@"')
    with pytest.raises(UsageError, match="it belongs to another user"):
        house.releases(repository.path).resolve()

    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    subprocess.run([*config, f"{repository.path}/.git"], check=True)  # all that an earlier zdd has asked for
    releases = house.releases(repository.path)
    assert releases.resolve().commit == commit
    (repository.path / "app.py").write_text("two")
    assert releases.resolve("HEAD").commit == commit
    assert "uncommitted changes" in house.notices[-1]


def test_a_trusted_repository_s_hooks_and_monitor_are_not_run(house: House, repository: Repository) -> None:
    commit = repository.commit(app_py="one")
    ran = repository.path.parent / "ran"
    spy = repository.path / ".git/spy"
    spy.write_text(f"#!/bin/sh\necho $0 >> {ran}\n")
    spy.chmod(0o755)
    hooks = repository.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / name).unlink(missing_ok=True)
        (hooks / name).symlink_to(spy)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "core.gitProxy", "core.pager"):
        repository.git("config", key, str(spy))
    (repository.path / "app.py").write_text("two")
    ran.unlink(missing_ok=True)

    assert built(house, house.releases(repository.path)) == (commit, "one")

    assert not ran.exists()


def test_what_a_mirror_of_an_earlier_zdd_has_does_not_get_in_the_way(
    house: House, repository: Repository, tmp_path: Path
) -> None:
    repository.commit(app_py="one")
    workspace = clone(repository, tmp_path / "workspace")
    mirror = str(house.state / "repo.git")
    repository.git("init", "--quiet", "--bare", mirror)
    repository.git("--git-dir", mirror, "fetch", "--quiet", str(workspace.path), "+refs/heads/*:refs/heads/*")
    second = repository.commit(app_py="two")
    pull(workspace, "--depth=1")

    assert built(house, house.releases(workspace.path)) == (second, "two")
    earlier = ["fetch", "--quiet", "--prune", "--no-tags", "--", str(repository.path), "+refs/heads/*:refs/heads/*"]
    third = repository.commit(app_py="three")
    repository.git("--git-dir", mirror, *earlier)
    assert repository.git("--git-dir", mirror, "rev-parse", "refs/heads/main") == third


@BOTH
def test_a_git_that_ends_with_0_and_has_fetched_nothing_is_not_believed(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: bool
) -> None:
    repository.commit(app_py="one")
    house.releases(source_of(repository, url)).resolve()
    repository.commit(app_py="two")
    put_before_git(tmp_path, monkeypatch, 'case "$*" in *" fetch "*) exit 0;; esac; exec git "$@"')
    releases = house.releases(source_of(repository, url))

    with pytest.raises(DeployFailed, match="the mirror differs from the source"):
        releases.resolve()


def test_a_checkout_is_judged_by_the_files_that_are_there(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(app_py="one", lib_py="one")
    put_before_git(tmp_path, monkeypatch, 'git "$@" || exit; case "$*" in *read-tree*) rm app.py;; esac')
    releases = house.releases(repository.path)

    with pytest.raises(DeployFailed, match=r"it is incomplete: app\.py"):
        house.build(releases)
    assert house.left() == []


def test_a_file_that_the_mirror_has_lost_is_refused_and_there_at_the_next_deploy(
    house: House, repository: Repository
) -> None:
    commit = repository.commit(app_py="one")
    releases = house.releases(repository.path)
    revision = releases.resolve()
    blob = repository.git("rev-parse", "HEAD:app.py")
    (house.state / f"repo.git/objects/{blob[:2]}/{blob[2:]}").unlink()

    with pytest.raises(DeployFailed, match=f"cannot check out {commit[:12]}") as caught:
        releases.build(revision, house.log)
    assert "deploy again" in (caught.value.hint or "")
    assert house.left() == []
    assert built(house, releases) == (commit, "one")


def test_what_is_sparse_or_a_submodule_or_has_other_line_ends_is_no_reason_to_refuse(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Repository(tmp_path / "library")
    library.commit(lib_py="one")
    repository.commit(
        app_py="one\r\ntwo\n", _gitattributes="*.py text\n*.txt export-subst ident\n", a_txt="$Id$ $Format:%H$"
    )
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    repository.commit()
    settings = {"core.sparseCheckout": "true", "core.autocrlf": "true"}
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    for key, value in settings.items():
        repository.git("config", "--global", key, value)
    releases = house.releases(repository.path)

    release = Path(releases.path(house.build(releases)))

    assert sorted(os.listdir(release)) == [".gitattributes", ".gitmodules", "a.txt", "app.py", "lib"]
