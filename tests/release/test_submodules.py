"""Submodules: a release has their files, at the commits that its own commit names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zdd.errors import DeployFailed

from .house import House, Repository
from .test_source import source_of

ALLOWED = ("-c", "protocol.file.allow=always")


@pytest.fixture
def library(tmp_path: Path) -> Repository:
    library = Repository(tmp_path / "library")
    library.commit(lib_py="one")
    return library


def add(repository: Repository, library: Repository, url: str | None = None, path: str = "lib") -> None:
    repository.git(*ALLOWED, "submodule", "--quiet", "add", str(library.path), path)
    if url:
        repository.git("config", "--file", ".gitmodules", f"submodule.{path}.url", url)
        repository.git("config", "--unset", f"submodule.{path}.url")
    repository.commit(app_py="app")


@pytest.mark.parametrize("url", [False, True], ids=["folder", "url"])
def test_a_release_has_the_files_of_the_commit_that_it_names(
    house: House, repository: Repository, library: Repository, url: bool
) -> None:
    add(repository, library)
    library.commit(lib_py="two")
    releases = house.releases(source_of(repository, url))
    release = Path(releases.path(house.build(releases)))
    assert (release / "lib/lib.py").read_text() == "one"
    assert not (release / "lib/.git").exists()

    repository.git("-C", "lib", *ALLOWED, "pull", "--quiet")
    repository.commit()
    release = Path(releases.path(house.build(releases)))
    assert (release / "lib/lib.py").read_text() == "two"
    assert house.notices == []


def test_a_relative_url_is_relative_to_where_the_source_is_from(
    house: House, repository: Repository, library: Repository, tmp_path: Path
) -> None:
    add(repository, library, "../library")
    shutil.rmtree(repository.path / ".git/modules")
    (tmp_path / "elsewhere").mkdir()
    repository.git("clone", "--quiet", f"file://{repository.path}", f"{tmp_path}/elsewhere/clone")

    for source in (repository.path, tmp_path / "elsewhere/clone", f"file://{repository.path}"):
        releases = house.releases(source)
        assert (Path(releases.path(house.build(releases))) / "lib/lib.py").read_text() == "one"
        releases.remove(releases.ids()[0])


def test_what_the_source_has_is_not_fetched_from_elsewhere(
    house: House, repository: Repository, library: Repository
) -> None:
    add(repository, library)
    library.path.rename(f"{library.path}-gone")
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "lib/lib.py").read_text() == "one"


def test_one_that_cannot_be_fetched_is_named_and_nothing_is_left(
    house: House, repository: Repository, library: Repository
) -> None:
    add(repository, library)
    library.path.rename(f"{library.path}-gone")
    releases = house.releases(f"file://{repository.path}")

    with pytest.raises(DeployFailed) as caught:
        house.build(releases)
    assert caught.value.message.startswith(f"submodule lib: cannot fetch {library.path}: ")
    assert house.left() == []


def test_submodules_of_submodules_are_there_too(
    house: House, repository: Repository, library: Repository, tmp_path: Path
) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit(inner_py="inner")
    add(library, inner, path="deep/inner")
    add(repository, library)
    releases = house.releases(repository.path)

    assert (Path(releases.path(house.build(releases))) / "lib/deep/inner/inner.py").read_text() == "inner"


@pytest.mark.parametrize(
    ("key", "value", "said"), [("update", "none", "says update = none"), ("url", None, "names no url for it")]
)
def test_what_stays_empty_is_told(
    house: House, repository: Repository, library: Repository, key: str, value: str | None, said: str
) -> None:
    add(repository, library)
    change = [f"submodule.lib.{key}", value] if value else ["--unset", f"submodule.lib.{key}"]
    repository.git("config", "--file", ".gitmodules", *change)
    repository.commit()
    releases = house.releases(repository.path)

    assert list((Path(releases.path(house.build(releases))) / "lib").iterdir()) == []
    assert [said in notice for notice in house.notices] == [True]
