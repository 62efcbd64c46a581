"""Files in Git LFS: a release has them, or is refused; it never has their pointers."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from zdd.errors import DeployFailed

from .house import House, Repository
from .test_source import source_of

INSTALLED = shutil.which("git-lfs")
STAND_IN = """\
#!/bin/sh
# What zdd asks of git-lfs, for machines that have none: copy the objects of a repository on this machine.
case $1 in
version) echo git-lfs/0 ;;
fetch)
    for source; do case $source in file://*) folder=${source#file://} ;; esac; done
    mkdir -p "$GIT_DIR/lfs" && cp -r "$folder/.git/lfs/objects" "$GIT_DIR/lfs/" ;;
esac
"""


@pytest.fixture(params=["stand-in", *(["git-lfs"] if INSTALLED else [])])
def git_lfs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have git-lfs, the real one too if it is installed."""
    if request.param == "stand-in":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/git-lfs").write_text(STAND_IN)
        (tmp_path / "bin/git-lfs").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


@pytest.fixture
def without_git_lfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a git that does not find git-lfs."""
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")


def pointer(text: str) -> str:
    oid = hashlib.sha256(text.encode()).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(text)}\n"


def store(repository: Repository, text: str) -> Path:
    """Have the content in the repository, as `git lfs` keeps it."""
    oid = hashlib.sha256(text.encode()).hexdigest()
    path = repository.path / f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def commit(repository: Repository, **contents: str) -> str:
    for text in filter(None, contents.values()):  # nobody keeps the empty one
        store(repository, text)
    names = {name: pointer(text) for name, text in contents.items()}
    repository.commit(_gitattributes="*.bin filter=lfs diff=lfs merge=lfs -text\n", plain_txt="plain", **names)
    return repository.git("rev-parse", "HEAD")


@pytest.mark.usefixtures("git_lfs")
@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
def test_a_release_has_the_files_themselves(house: House, repository: Repository, url: bool) -> None:
    commit(repository, a_bin="first", sub__b_bin="other", empty_bin="")
    (repository.path / "sub/b.bin").chmod(0o755)
    repository.commit()
    releases = house.releases(source_of(repository, url))
    release = Path(releases.path(house.build(releases)))

    texts = {name: (release / name).read_text() for name in ("a.bin", "sub/b.bin", "empty.bin", "plain.txt")}
    assert texts == {"a.bin": "first", "sub/b.bin": "other", "empty.bin": "", "plain.txt": "plain"}
    assert (release / "sub/b.bin").stat().st_mode & 0o111

    commit(repository, a_bin="second")
    release = Path(releases.path(house.build(releases)))
    assert (release / "a.bin").read_text() == "second"
    kept = {path.read_text() for path in (house.state / "repo.git/lfs/objects").rglob("*") if path.is_file()}
    assert kept == {"second", "other"}, "only what the last commit needs"


@pytest.mark.usefixtures("without_git_lfs")
def test_without_git_lfs_the_message_says_what_to_install(house: House, repository: Repository) -> None:
    commit(repository, a_bin="first")
    releases = house.releases(repository.path)

    with pytest.raises(DeployFailed, match=r"1 file of it \(such as a\.bin\) must come from Git LFS") as caught:
        house.build(releases)

    assert "apt-get install git-lfs" in (caught.value.hint or "")
    assert house.left() == []


@pytest.mark.usefixtures("without_git_lfs")
def test_a_repository_that_only_could_have_files_in_git_lfs_needs_none(house: House, repository: Repository) -> None:
    """Its file is in git itself, which a filter that is configured and missing must not spoil."""
    repository.commit(_gitattributes="*.bin filter=lfs\n", a_bin="in git")
    repository.git("config", "--global", "filter.lfs.process", "git-lfs filter-process")
    repository.git("config", "--global", "filter.lfs.required", "true")
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "a.bin").read_text() == "in git"


@pytest.mark.usefixtures("git_lfs")
def test_a_file_that_cannot_be_had_is_named_and_nothing_is_left(house: House, repository: Repository) -> None:
    commit(repository, a_bin="first", b_bin="lost")
    store(repository, "lost").unlink()
    releases = house.releases(repository.path)

    with pytest.raises(DeployFailed, match=r"cannot fetch b\.bin by Git LFS from"):
        house.build(releases)

    assert house.left() == []


@pytest.mark.usefixtures("git_lfs")
def test_what_has_the_word_of_a_pointer_in_it_is_a_file(house: House, repository: Repository) -> None:
    commit(repository, a_bin="first")
    (repository.path / "doc.txt").write_text(pointer("not in Git LFS, by .gitattributes"))
    repository.commit()
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "doc.txt").read_text().startswith("version https://")
