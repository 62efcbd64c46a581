from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from zdd.release import assets
from zdd.release.releases import Releases

from .house import House, Repository, write


@pytest.fixture
def releases(house: House, repository: Repository) -> Releases:
    return house.releases(repository.path, assets=["public"], keep_releases=2)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_old_and_new_files_are_there_and_the_newest_wins(
    house: House, repository: Repository, releases: Releases
) -> None:
    repository.commit(public__a1_js="one", public__app_css="one", app_py="one")
    first = house.build(releases)
    repository.commit(public__app_css="two", public__img__b2_png="two")
    repository.git("rm", "--quiet", "public/a1.js")
    repository.commit()
    house.build(releases)

    releases.unite_assets()
    union = house.state / "assets"

    assert tree(union) == {"public/a1.js": "one", "public/app.css": "two", "public/img/b2.png": "two"}
    assert (union / "public/a1.js").samefile(f"{releases.path(first)}/public/a1.js")  # takes no room

    releases.make_current(first)
    releases.unite_assets()
    assert tree(union)["public/app.css"] == "one"


def test_files_that_no_release_has_any_more_go_and_their_folders(
    house: House, repository: Repository, releases: Releases
) -> None:
    repository.commit(public__old__a_js="one")
    house.build(releases)
    releases.unite_assets()
    for text in ("two", "three"):
        repository.git("rm", "--quiet", "-r", "public")
        repository.commit(public__b_js=text)
        house.build(releases)

    releases.prune(releases.ids(), set())
    releases.unite_assets()

    assert tree(house.state / "assets") == {"public/b.js": "three"}
    assert os.listdir(house.state / "assets/public") == ["b.js"]


def test_a_file_that_stays_is_there_at_every_moment(tmp_path: Path) -> None:
    for release in ("one", "two"):
        for number in range(50):
            write(tmp_path / release / f"static/{number}.js", release * 100)
    union = tmp_path / "assets"
    assets.unite(str(union), [str(tmp_path / "one")], ["static"])
    done = threading.Event()
    texts = set()

    def read() -> None:
        while not done.is_set():
            texts.add((union / "static/7.js").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for release in ("two", "one") * 10:
            assets.unite(str(union), [str(tmp_path / release)], ["static"])
    finally:
        done.set()
        reader.join()

    assert texts == {"one" * 100, "two" * 100}


def test_no_link_leads_out_of_the_release(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "secret")
    release = tmp_path / "release"
    write(release / "static/app-1.js", "app")
    (release / "static/app.js").symlink_to("app-1.js")
    (release / "static/secret.js").symlink_to(secret)
    (release / "static/outside").symlink_to(tmp_path)
    (release / "static/dangling").symlink_to("nowhere")
    (release / "linked").symlink_to(tmp_path)
    (release / "built").symlink_to("static")

    assets.unite(str(tmp_path / "assets"), [str(release)], ["static", "linked", "built", "missing"])

    expected = {f"{folder}/{name}": "app" for folder in ("built", "static") for name in ("app-1.js", "app.js")}
    assert tree(tmp_path / "assets") == expected


def test_files_that_are_not_wanted_cost_no_look_at_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        write(tmp_path / f"release/{number}.html", "page")
    write(tmp_path / "release/app.js", "app")
    looks, lstat = list[str](), os.lstat

    def look(path: str, **keys: Any) -> os.stat_result:
        looks.append(path)
        return lstat(path, **keys)

    monkeypatch.setattr(os, "lstat", look)

    assets.unite(str(tmp_path / "assets"), [str(tmp_path / "release")], ["."], lambda path: path.endswith(".js"))

    assert tree(tmp_path / "assets") == {"app.js": "app"}
    assert not [path for path in looks if str(path).endswith(".html")]


def test_a_file_in_one_release_may_be_a_folder_in_the_next_and_back(tmp_path: Path) -> None:
    write(tmp_path / "one/static/x", "file")
    write(tmp_path / "two/static/x/y", "below")
    union = tmp_path / "assets"

    for newest, oldest, expected in (
        ("one", "two", {"static/x": "file"}),
        ("two", "one", {"static/x/y": "below"}),
        ("one", "two", {"static/x": "file"}),
    ):
        assets.unite(str(union), [str(tmp_path / newest), str(tmp_path / oldest)], ["static"])
        assert tree(union) == expected


def test_files_that_cannot_be_linked_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("another file system")

    write(tmp_path / "release/static/a.js", "text")
    monkeypatch.setattr(os, "link", fail)

    for _ in range(2):
        assets.unite(str(tmp_path / "assets"), [str(tmp_path / "release")], ["static"])

    assert tree(tmp_path / "assets") == {"static/a.js": "text"}
    assert not (tmp_path / "assets/static/a.js").samefile(tmp_path / "release/static/a.js")


def test_without_assets_there_is_no_folder(house: House, repository: Repository) -> None:
    house.releases(repository.path).unite_assets()

    assert not (house.state / "assets").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="the workers of an ordinary user's nginx are himself")
def test_files_that_nginx_cannot_read_are_told_of_once(house: House) -> None:
    source = house.folder / "code"
    for name, mode in (("open.css", 0o644), ("closed.css", 0o600), ("group.css", 0o640)):
        write(source / "public" / name, name).chmod(mode)
    releases = house.releases(source, assets=["public"])
    house.build(releases)

    releases.unite_assets()
    releases.unite_assets()

    assert house.notices == [
        "2 files of assets cannot be read by nginx: public/closed.css, public/group.css; "
        "`chmod o+r` what visitors may see"
    ]


def test_folders_that_a_umask_closed_are_opened(house: House, repository: Repository, releases: Releases) -> None:
    repository.commit(public__img__b2_png="two")
    house.build(releases)
    releases.unite_assets()
    union = house.state / "assets"
    for folder in (union, union / "public", union / "public/img"):
        folder.chmod(0o700)

    releases.unite_assets()

    assert {folder.stat().st_mode & 0o777 for folder in (union, union / "public", union / "public/img")} == {0o755}
