from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from zdd.errors import DeployFailed, UsageError

from .house import House, Repository
from .test_source import source_of


def test_the_default_is_the_head_of_the_repository_as_it_is_now(house: House, repository: Repository) -> None:
    first = repository.commit(app_py="one")
    releases = house.releases(repository.path)
    assert releases.resolve().commit == first

    second = repository.commit(app_py="two")
    revision = releases.resolve()

    assert (revision.commit, revision.id) == (second, second[:12])


def test_what_is_not_committed_is_told_where_it_could_be_meant(house: House, repository: Repository) -> None:
    first = repository.commit(app_py="1")
    releases = house.releases(repository.path)
    releases.paths.config = replace(releases.paths.config, path=repository.path / "deploy.toml")
    (repository.path / "deploy.toml").write_text("read where it is, so this is in force")
    releases.resolve()
    assert house.notices == []

    (repository.path / "app.py").write_text("2")
    (repository.path / "a new one.py").touch()
    releases.resolve()
    told = [f"uncommitted changes in {repository.path} (2 files) are not deployed: app.py, a new one.py"]
    assert house.notices == told
    repository.commit(b_py="")
    (repository.path / "app.py").write_text("3")
    releases.resolve(first)
    assert house.notices == told


def test_a_revision_is_a_branch_a_tag_or_a_commit_full_or_short(house: House, repository: Repository) -> None:
    first = repository.commit(app_py="one")
    repository.git("tag", "-a", "-m", "annotated", "v1")
    repository.git("checkout", "--quiet", "-b", "feature/x")
    second = repository.commit(app_py="two")
    repository.git("checkout", "--quiet", "main")
    releases = house.releases(repository.path, rev="feature/x")

    assert releases.resolve().commit == second
    found = [releases.resolve(rev).commit for rev in ("v1", "main", first, first[:8], "HEAD")]
    assert found == [first] * 5


def test_moved_tags_and_rewritten_branches_are_followed_and_removed_ones_forgotten(
    house: House, repository: Repository
) -> None:
    repository.commit(app_py="one")
    repository.git("tag", "live")
    repository.git("branch", "gone")
    releases = house.releases(repository.path)
    releases.resolve("gone")
    repository.git("commit", "--quiet", "--amend", "-m", "another")
    repository.git("tag", "--force", "live")
    repository.git("branch", "-D", "gone")
    repository.git("branch", "gone/below")  # where a file was there is a folder now
    rewritten = repository.git("rev-parse", "HEAD")

    assert [releases.resolve(rev).commit for rev in (None, "live", "gone/below")] == [rewritten] * 3
    with pytest.raises(UsageError, match="no branch, tag or commit 'gone'"):
        releases.resolve("gone")


def test_an_unknown_revision_is_a_usage_error_that_names_the_branches(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")

    for rev in ("mian", "--help", "0000000000000000000000000000000000000000"):
        with pytest.raises(UsageError, match=f"has no branch, tag or commit '{rev}'") as caught:
            house.releases(repository.path).resolve(rev)
        assert caught.value.hint == "its latest branches: main"


def test_what_cannot_be_fetched_is_told_in_gits_words_and_without_the_password(house: House, tmp_path: Path) -> None:
    with pytest.raises(DeployFailed, match="cannot fetch https://localhost:1/x: fatal: unable to access") as caught:
        house.releases("https://ada:secret@localhost:1/x").resolve()
    assert "secret" not in caught.value.message

    with pytest.raises(DeployFailed, match=r"'/nowhere\.git' does not appear to be a git repository"):
        house.releases("file:///nowhere.git").resolve()
    with pytest.raises(UsageError, match=f"{tmp_path}/nothing does not exist"):
        house.releases(tmp_path / "nothing").resolve()


def test_a_repository_without_commits_is_told_as_such(house: House, repository: Repository) -> None:
    for source in (repository.path, f"file://{repository.path}"):
        with pytest.raises(DeployFailed, match="which has no commit") as caught:
            house.releases(source).resolve()
        assert caught.value.hint == "it has no branches yet: commit something"


@pytest.mark.parametrize(("url", "named"), [(False, "the branch gone"), (True, "a branch")], ids=["folder", "url"])
def test_a_head_that_names_a_missing_branch_is_told_with_the_branches_there_are(
    house: House, repository: Repository, tmp_path: Path, url: bool, named: str
) -> None:
    commit = repository.commit(app_py="one")
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(bare))
    repository.git("--git-dir", str(bare), "symbolic-ref", "HEAD", "refs/heads/gone")
    releases = house.releases(f"file://{bare}" if url else bare)

    with pytest.raises(DeployFailed, match=rf"bare\.git: its HEAD names {named}, which has no commit") as caught:
        releases.resolve()
    assert caught.value.hint == "set rev in [release] to one of its branches: main"
    assert releases.resolve("main").commit == commit


def test_without_git_the_message_says_so(house: House, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(UsageError, match="git is not installed"):
        house.releases(repository.path).resolve()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_repository_of_another_user_needs_the_command_that_the_hint_tells(
    house: House, repository: Repository
) -> None:
    commit = repository.commit(app_py="one")
    for path in (repository.path, repository.path / ".git"):
        os.chown(path, 12345, 12345)
    releases = house.releases(repository.path)

    with pytest.raises(UsageError, match="it belongs to another user") as caught:
        releases.resolve()
    subprocess.run(shlex.split((caught.value.hint or "").split("`")[1]), check=True)

    assert releases.resolve().commit == commit


def test_a_bare_repository_and_a_bundle_are_sources_too(house: House, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit(app_py="one")
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(tmp_path / "bare.git"))
    repository.git("bundle", "create", "--quiet", str(tmp_path / "code.bundle"), "--all")

    assert house.releases(tmp_path / "bare.git").resolve().commit == commit
    assert house.releases(tmp_path / "code.bundle").resolve().commit == commit


def test_the_release_has_the_files_of_the_commit_and_no_git(house: House, repository: Repository) -> None:
    repository.commit(app_py="one", static__a_css="a")
    (repository.path / "run").write_text("#!/bin/sh\n")
    (repository.path / "run").chmod(0o755)
    (repository.path / "link").symlink_to("static/a.css")
    repository.commit()
    (repository.path / "app.py").write_text("not committed")
    releases = house.releases(repository.path)

    release = Path(releases.path(house.build(releases)))

    assert sorted(os.listdir(release)) == ["app.py", "link", "run", "static"]
    assert (release / "app.py").read_text() == "one"
    assert os.readlink(release / "link") == "static/a.css"
    assert (release / "run").stat().st_mode & stat.S_IXOTH


def test_each_release_has_the_files_of_its_own_commit(house: House, repository: Repository) -> None:
    repository.commit(a="1", b="1")
    releases = house.releases(repository.path)
    house.build(releases)
    repository.git("rm", "--quiet", "b")
    repository.commit(c="1")

    assert sorted(os.listdir(releases.path(house.build(releases)))) == ["a", "c"]


def test_zdd_works_from_a_hook_of_another_repository(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit(app_py="one")
    other = Repository(tmp_path / "other")
    other.commit(other_py="other")
    for name, path in (("GIT_DIR", ".git"), ("GIT_WORK_TREE", ""), ("GIT_INDEX_FILE", ".git/index")):
        monkeypatch.setenv(name, str(other.path / path))
    releases = house.releases(repository.path, build=["env"])

    assert house.build(releases) == commit[:12]
    assert os.listdir(releases.path(commit[:12])) == ["app.py"]
    assert "GIT_DIR" not in house.logged()


def test_a_mirror_that_a_crash_or_a_hand_damaged_is_repaired(house: House, repository: Repository) -> None:
    commit = repository.commit(app_py="one")
    releases = house.releases(repository.path)
    releases.resolve()
    mirror = house.state / "repo.git"

    (mirror / "refs/heads/main.lock").touch()
    (mirror / "HEAD").unlink()
    commit = repository.commit(app_py="two")
    assert releases.resolve().commit == commit

    (mirror / "refs/heads/main").write_text("")
    assert releases.resolve().commit == commit

    for folder in (mirror / "objects").glob("??"):
        for file in folder.iterdir():
            file.unlink()
    assert house.build(releases) == commit[:12]


def test_a_fetch_can_be_interrupted(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nsleep 60\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    begun = time.monotonic()

    def interrupt() -> None:
        if time.monotonic() > begun + 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.releases("ssh://localhost/x", interrupt).resolve()

    assert time.monotonic() - begun < 50  # seconds; ssh sleeps for 60
    assert subprocess.run(["pgrep", "-f", str(ssh)], capture_output=True).returncode == 1


OTHERS = {"GIT_TRACE": "1", "GIT_TRACE2": "1", "GIT_TRACE_SETUP": "2", "GIT_LITERAL_PATHSPECS": "1"}


@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
@pytest.mark.parametrize("name", [*OTHERS, "GIT_DEFAULT_HASH"])
def test_what_people_set_for_git_changes_no_answer(
    house: House, repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str, url: bool
) -> None:
    """A trace is printed where zdd reads; under literal pathspecs git finds no file by its attribute."""
    repository.commit(_gitattributes="*.key filter=git-crypt\n", app_py="1")
    monkeypatch.setenv(name, OTHERS.get(name, "sha256"))
    releases = house.releases(source_of(repository, url))

    assert (Path(releases.path(house.build(releases))) / "app.py").read_text() == "1"
    monkeypatch.delenv(name)
    (repository.path / "site.key").write_bytes(b"\0GITCRYPT\0")
    repository.commit()
    monkeypatch.setenv(name, OTHERS.get(name, "sha256"))
    with pytest.raises(DeployFailed, match=r"site\.key\) would be deployed encrypted"):
        house.build(releases)


@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
def test_a_repository_with_ids_of_sha256_is_built_and_so_is_the_next_one(
    house: House, tmp_path: Path, url: bool
) -> None:
    for number, kind in enumerate(("sha1", "sha256", "sha256", "sha1")):
        repository = Repository.__new__(Repository)
        repository.path = tmp_path / "code"
        shutil.rmtree(repository.path, ignore_errors=True)
        repository.git("init", "--quiet", f"--object-format={kind}", "-b", "main", str(repository.path))
        for commit in (0, 1):
            repository.commit(app_py=f"{number} {commit}")
            releases = house.releases(source_of(repository, url))
            release = Path(releases.path(house.build(releases)))

            assert (release / "app.py").read_text() == f"{number} {commit}"


def test_what_git_says_of_a_damaged_repository_is_not_taken_for_its_branches(
    house: House, repository: Repository
) -> None:
    repository.commit(app_py="1")
    (repository.path / ".git/HEAD").write_text("garbage\n")
    releases = house.releases(repository.path)

    with pytest.raises(UsageError, match="not a git repository") as caught:
        house.build(releases)

    assert caught.value.hint is None


WARNS = """\
#!/bin/sh
# git as under `sudo -u` with the HOME of before: it warns of each file there that it may not read.
case $* in
*ls-files*|*diff-index*|*read-tree*|*" grep "*)
    echo "warning: unable to access '/root/.config/git/attributes': Permission denied" >&2 ;;
esac
exec GIT "$@"
"""


def test_warnings_of_git_are_not_taken_for_names(
    house: House, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(_gitattributes="*.key filter=git-crypt\n", app_py="1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(WARNS.replace("GIT", shutil.which("git") or ""))
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "app.py").read_text() == "1"
    (repository.path / "app.key").write_bytes(b"\0GITCRYPT\0")  # the first of the names
    repository.commit()
    with pytest.raises(DeployFailed, match=r"app\.key\) would be deployed encrypted"):
        house.build(releases)
