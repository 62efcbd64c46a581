from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.errors import UsageError
from zdd.release.work import BuildFailed

from .house import House, Repository, write


def test_shared_paths_lead_out_of_every_release_to_the_same_place(house: House, repository: Repository) -> None:
    shared = house.state / "shared"
    write(shared / ".env", "KEY=value")
    write(shared / "public/uploads/one.png", "png")
    repository.commit(app_py="one")
    releases = house.releases(repository.path, shared=[".env", "public/uploads"], build=["grep KEY .env"])

    for text in ("two", "three"):
        repository.commit(app_py=text)
        release = Path(releases.path(house.build(releases)))
        assert os.readlink(release / ".env") == f"{shared}/.env"
        assert (release / "public/uploads/one.png").read_text() == "png"
        assert not (release / "public").is_symlink()
    assert house.notices == []


def test_what_the_first_release_has_is_the_first_content_and_stays(house: House, repository: Repository) -> None:
    repository.commit(uploads__hello_txt="one", config_ini="one")
    releases = house.releases(repository.path, shared=["uploads", "config.ini"])
    house.build(releases)
    repository.commit(uploads__hello_txt="two", uploads__more_txt="two", config_ini="two")

    release = Path(releases.path(house.build(releases)))

    assert (release / "uploads").is_symlink()
    assert os.listdir(release / "uploads") == ["hello.txt"]
    assert (release / "config.ini").read_text() == "one"
    assert sorted(os.listdir(house.state / "shared")) == ["config.ini", "uploads"]
    assert [notice.endswith("is new: a copy of what the release has there") for notice in house.notices] == [True, True]


def test_a_folder_nobody_has_is_made_and_a_file_nobody_has_is_told(house: House, repository: Repository) -> None:
    repository.commit(app_py="one")
    releases = house.releases(repository.path, shared=["a/media/", ".env"])

    release = Path(releases.path(house.build(releases)))

    shared = house.state / "shared"
    assert (shared / "a/media").is_dir()
    assert (release / "a/media").is_dir()
    assert not (release / ".env").exists()
    assert os.readlink(release / ".env") == f"{shared}/.env"
    assert house.notices == [
        f"{shared}/a/media/ is new and empty",
        f"{shared}/.env does not exist: create it, or let the app or a hook create it (a folder is `.env/` in shared)",
    ]


def test_a_link_in_the_release_is_no_first_content(house: House, repository: Repository, tmp_path: Path) -> None:
    write(tmp_path / "outside/file", "text")
    repository.path.joinpath("uploads").symlink_to(tmp_path / "outside")
    repository.commit()

    house.build(house.releases(repository.path, shared=["uploads/"]))

    assert os.listdir(house.state / "shared/uploads") == []
    assert (tmp_path / "outside/file").exists()


def test_a_shared_folder_may_be_a_link_to_a_larger_disk(house: House, repository: Repository, tmp_path: Path) -> None:
    write(tmp_path / "disk/file", "text")
    (house.state / "shared").mkdir()
    (house.state / "shared/uploads").symlink_to(tmp_path / "disk")
    repository.commit(uploads__keep="")
    releases = house.releases(repository.path, shared=["uploads"])

    release = Path(releases.path(house.build(releases)))

    assert (release / "uploads/file").read_text() == "text"


@pytest.mark.parametrize("where", ["shared", "release"])
def test_no_link_on_the_way_is_followed(house: House, repository: Repository, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if where == "shared":
        (house.state / "shared").mkdir()
        (house.state / "shared/var").symlink_to(outside)
    else:
        (repository.path / "var").symlink_to(outside)
    repository.commit(app_py="one")

    with pytest.raises(BuildFailed, match="var is a link or a file, and no folder"):
        house.build(house.releases(repository.path, shared=["var/cache/"]))

    assert os.listdir(outside) == []
    assert house.left() == []


@pytest.mark.parametrize("paths", [["var", "var/cache"], ["var/cache", "var/"], ["var", "var/"]])
def test_a_path_inside_another_is_refused(house: House, repository: Repository, paths: list[str]) -> None:
    repository.commit(app_py="one")

    with pytest.raises(UsageError, match=r"shared: var(/cache)? is shared with var already"):
        house.releases(repository.path, shared=paths).resolve()


def test_a_link_to_a_disk_that_is_not_mounted_is_refused_and_says_where_it_leads(
    house: House, repository: Repository, tmp_path: Path
) -> None:
    repository.commit(app_py="one")
    (house.state / "shared").mkdir()
    (house.state / "shared/media").symlink_to(tmp_path / "disk/media")
    releases = house.releases(repository.path, shared=["media/"])

    with pytest.raises(
        UsageError, match=f"shared/media leads to {tmp_path}/disk/media, which does not exist"
    ) as caught:
        releases.resolve()
    assert "mount its disk" in (caught.value.hint or "")

    (tmp_path / "disk/media").mkdir(parents=True)
    assert house.build(releases)
