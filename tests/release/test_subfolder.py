"""A source that is a folder of a repository: its commit is deployed, and that folder of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.errors import UsageError

from .house import House, Repository
from .test_lfs import STAND_IN, pointer, store


@pytest.fixture
def shop(repository: Repository) -> Path:
    repository.commit(shop__app_py="one", shop__web__a_css="a", other__b_py="b", README="all")
    return repository.path / "shop"


def test_the_release_has_the_committed_files_of_that_folder(house: House, repository: Repository, shop: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    (shop / ".env").write_text("SECRET=1")
    (shop / "app.py").write_text("not committed")
    (repository.path / "other/b.py").write_text("not of this folder")
    releases = house.releases(shop)

    release = Path(releases.path(house.build(releases)))

    assert release.name == commit[:12]
    assert sorted(os.listdir(release)) == ["app.py", "web"]
    assert ((release / "app.py").read_text(), (release / "web/a.css").read_text()) == ("one", "a")
    assert house.notices == [f"uncommitted changes in {shop} (2 files) are not deployed: app.py, .env"]


def test_it_has_revisions(house: House, repository: Repository, shop: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit(shop__app_py="two")
    releases = house.releases(shop)
    assert (Path(releases.path(house.build(releases))) / "app.py").read_text() == "two"
    assert (Path(releases.path(house.build(releases, first))) / "app.py").read_text() == "one"


def test_each_folder_of_a_commit_is_a_release_of_its_own(house: House, repository: Repository, shop: Path) -> None:
    built = [house.build(house.releases(source)) for source in (shop, repository.path / "other", repository.path, shop)]

    assert built[0] == built[3]
    assert len(set(built)) == 3


def test_a_linked_path_is_that_folder_too(house: House, repository: Repository, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop)
    releases = house.releases(tmp_path / "link")

    assert house.build(releases) == repository.git("rev-parse", "HEAD")[:12]


def test_a_folder_that_git_does_not_have_is_deployed_as_it_is_and_told(
    house: House, repository: Repository, shop: Path
) -> None:
    new = repository.path / "new"
    new.mkdir()
    (new / "app.py").write_text("new")
    releases = house.releases(new)

    assert (Path(releases.path(house.build(releases))) / "app.py").read_text() == "new"
    commit = repository.git("rev-parse", "HEAD")
    where = f"new is not in commit {commit[:12]} of {repository.path}"
    assert house.notices == [f"{where}: {new} is deployed as it is, whatever is committed"]
    with pytest.raises(UsageError, match="new is not in commit"):
        releases.resolve("main")
    assert shop.exists()


def test_a_folder_that_git_ignores_is_a_folder_like_any_other(house: House, repository: Repository, shop: Path) -> None:
    (shop / ".gitignore").write_text("dist\n")
    (shop / "dist").mkdir()
    (shop / "dist/app.js").write_text("made")
    repository.commit()
    releases = house.releases(shop / "dist")

    assert (Path(releases.path(house.build(releases))) / "app.js").read_text() == "made"
    assert house.notices == []


def test_what_the_repository_says_of_its_files_holds_in_the_folder(
    house: House, repository: Repository, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git-lfs").write_text(STAND_IN)
    (tmp_path / "bin/git-lfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    store(repository, "large")
    (shop / "a.bin").write_text(pointer("large"))
    repository.commit(_gitattributes="*.bin filter=lfs\n*.txt text eol=crlf\n", shop__a_txt="a\n")
    releases = house.releases(shop)

    release = Path(releases.path(house.build(releases)))

    assert (release / "a.bin").read_text() == "large"
    assert (release / "a.txt").read_bytes() == b"a\r\n"


def test_what_a_crash_left_of_a_checkout_does_not_get_into_the_next(
    house: House, repository: Repository, shop: Path
) -> None:
    releases = house.releases(shop)
    revision = releases.resolve()
    left = house.state / "repo.git/checkout/shop/left.py"
    left.parent.mkdir(parents=True)
    left.write_text("of an earlier one")

    releases.build(revision, house.log)

    assert sorted(os.listdir(releases.path(revision.id))) == ["app.py", "web"]
    assert repository.path.exists()
