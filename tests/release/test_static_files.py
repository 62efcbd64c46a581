"""Static services' files: their times and links, and the files of all releases whose names tell their content."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.conf.services import StaticService
from zdd.errors import DeployFailed
from zdd.layout import Layout
from zdd.release import static_files, static_folder
from zdd.release.shelf import Shelf
from zdd.release.work import BuildFailed

from .house import write

SITE = {"site": StaticService(name="site", static="dist")}


class Desk:
    """Releases that are made by hand, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(str(folder / "S"), str(folder / "R"))
        self.notices: list[str] = []
        self.shelf = Shelf(self.layout, self.notices.append)  # type: ignore[arg-type]
        self.count = 0

    def build(self, **pages: str) -> Path:
        """Make a release with these pages in dist; `_` in a name is a dot, `__` a slash."""
        self.count += 1
        release = f"20261129-{self.count:06}"
        folder = Path(self.shelf.path(release)) / "dist"
        for name, text in {"index_html": "index", **pages}.items():
            write(folder / name.replace("__", "/").replace("_", "."), text)
        self.finish(release)
        return folder

    def finish(self, release: str) -> None:
        static_files.finish(self.shelf, self.layout, SITE, release)
        static_files.give_times(self.shelf, self.layout, ["dist"], release, lambda: None)
        Path(self.shelf.marker(release)).touch()

    def kept(self) -> dict[str, str]:
        top = Path(self.layout.static) / "site"
        static_files.unite(self.shelf, self.layout, {"site": "dist"}, is_final=True)
        return {str(path.relative_to(top)): path.read_text() for path in sorted(top.rglob("*")) if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    return Desk(tmp_path)  # type: ignore[return-value]


def second(path: Path) -> int:
    assert path.stat().st_mtime_ns % 10**9 == 0
    return int(path.stat().st_mtime)


def test_a_file_of_the_same_bytes_keeps_its_time_and_every_other_has_one_that_none_had(desk: Desk) -> None:
    one = desk.build(a_css="1111", b_css="same", c_css="cccc")
    two = desk.build(a_css="2222", b_css="same", c_css="cccc")
    three = desk.build(a_css="1111", b_css="same")

    assert second(one / "b.css") == second(two / "b.css") == second(three / "b.css")
    assert len({second(one / "a.css"), second(two / "a.css"), second(three / "a.css")}) == 3
    assert len({second(one / name) for name in ("a.css", "b.css", "c.css", "index.html")}) == 4


def test_times_are_never_taken_again_though_releases_go_and_the_clock_is_set_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk.build(a_css="1")
    taken = second(one / "a.css")
    desk.shelf.remove(one.parent.name)
    monkeypatch.setattr(time, "time", lambda: 1000.0)

    assert second(desk.build(a_css="2") / "a.css") > taken


def test_files_that_take_one_anothers_place_differ_in_time(desk: Desk) -> None:
    """/about may be about.html in one release and about/index.html in the next."""
    one = desk.build(about_html="1", about__index_html="2")

    assert second(one / "about.html") != second(one / "about/index.html")


def test_seconds_are_of_the_past_as_far_as_there_are_enough(desk: Desk) -> None:
    one = desk.build(**{f"page{number}_html": str(number) for number in range(50)})

    assert max(second(path) for path in one.iterdir()) <= time.time()


def test_a_file_that_a_build_has_linked_from_a_cache_gets_a_time_of_its_own(desk: Desk, tmp_path: Path) -> None:
    cache = write(tmp_path / "cache.css", "cached")
    cache.chmod(0o640)
    os.utime(cache, (5, 5))
    folder = Path(desk.shelf.path("20261129-000009")) / "dist"
    write(folder / "index.html", "index")
    os.link(cache, folder / "linked.css")

    desk.finish("20261129-000009")

    assert cache.stat().st_mtime == 5
    assert second(folder / "linked.css") != 5
    assert ((folder / "linked.css").read_text(), (folder / "linked.css").stat().st_mode & 0o777) == ("cached", 0o640)


def test_a_release_that_was_not_static_is_not_compared_with(desk: Desk) -> None:
    other = Path(desk.shelf.path("20261129-000007"))
    for name in ("a.css", "b.css", "index.html"):
        os.utime(write(other / "dist" / name, name), (7, 7))
    Path(desk.shelf.marker("20261129-000007")).touch()

    one = desk.build(a_css="a.css", b_css="b.css")

    assert 7 not in {second(path) for path in one.iterdir()}


def test_the_assets_of_an_app_get_times_likewise_and_a_folder_that_is_missing_or_elsewhere_is_left_out(
    desk: Desk, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside/a.css", "1")
    os.utime(outside, (5, 5))
    for release, text in (("20261129-000001", "1111"), ("20261129-000002", "2222")):
        top = Path(desk.shelf.path(release))
        for name, content in (("app.css", text), ("same.css", "same")):
            os.utime(write(top / "public" / name, content), (7, 7))  # of a reproducible build
        (top / "out").symlink_to(outside.parent)
        folders = ["public", "missing", "out"]
        static_files.give_times(desk.shelf, desk.layout, folders, release, lambda: None)
        Path(desk.shelf.marker(release)).touch()
    one, two = (Path(desk.shelf.path(f"20261129-{number:06}")) / "public" for number in (1, 2))

    assert second(one / "app.css") != second(two / "app.css")
    assert second(one / "same.css") == second(two / "same.css")
    assert outside.stat().st_mtime == 5


def test_an_interrupt_is_heard_within_a_large_file(tmp_path: Path) -> None:
    heard: list[int] = []

    def interrupt() -> None:
        heard.append(1)
        if len(heard) == 3:
            raise KeyboardInterrupt

    (tmp_path / "dist").mkdir()
    with open(tmp_path / "dist/large", "wb") as large:
        large.truncate(10 << 20)

    with pytest.raises(KeyboardInterrupt):
        static_folder.give_times(str(tmp_path / "dist"), None, static_folder.Times(str(tmp_path / "times")), interrupt)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_to_files_of_another_user_gets_that_owner_since_nginx_follows_no_other(
    desk: Desk, tmp_path: Path
) -> None:
    uploads = write(tmp_path / "S/shared/dist/up/a", "a").parent
    os.chown(uploads, 12345, -1)
    folder = Path(desk.shelf.path("20261129-000001")) / "dist"
    write(folder / "index.html", "index")
    (folder / "up").symlink_to(uploads)

    desk.finish("20261129-000001")

    assert (folder / "up").lstat().st_uid == 12345
    assert uploads.stat().st_uid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="the workers of an ordinary user's nginx are himself")
def test_files_and_folders_that_nginx_cannot_read_are_told(desk: Desk) -> None:
    folder = Path(desk.shelf.path("20261129-000001")) / "dist"
    for name in ("index.html", "closed.css", "private/deep/a.css"):
        write(folder / name, name)
    (folder / "closed.css").chmod(0o640)
    (folder / "private").chmod(0o700)

    desk.finish("20261129-000001")

    assert desk.notices == [
        "site: 2 paths cannot be read by nginx: closed.css, private/; `chmod -R a+rX` what visitors may see"
    ]


def test_what_is_compressed_of_another_content_is_told(desk: Desk) -> None:
    folder = Path(desk.shelf.path("20261129-000001")) / "dist"
    write(folder / "index.html", "index")
    right = {"right.css": b"a" * 3000000, "empty.js": b"", "named.svg": b"<svg>"}
    wrong = {"old.css": b"new", "longer.css": b"newer", "no.css": b"x", "cut.css": b"y"}
    packed = {name: gzip.compress(content, mtime=7) for name, content in right.items()}
    packed |= {
        "old.css": gzip.compress(b"old"),
        "longer.css": gzip.compress(b"new"),
        "no.css": b"no gzip",
        "cut.css": b"",
    }
    for name, content in (right | wrong).items():
        (folder / name).write_bytes(content)
        (folder / f"{name}.gz").write_bytes(packed[name])
    write(folder / "alone.tar.gz", "no file beside it")
    (folder / "folder.gz").mkdir()
    (folder / "linked.css").symlink_to("right.css")
    (folder / "linked.css.gz").write_bytes(b"x")

    desk.finish("20261129-000001")

    (notice,) = desk.notices
    assert notice.startswith(
        "site: cut.css.gz, longer.css.gz, no.css.gz and 1 more in dist: not made of the file beside it"
    )


def test_links_that_lead_out_go_and_are_told_and_shared_ones_stay(desk: Desk, tmp_path: Path) -> None:
    secret, shared = write(tmp_path / "secret", "secret"), write(tmp_path / "S/shared/dist/up/a", "a").parent
    folder = Path(desk.shelf.path("20261129-000001")) / "dist"
    write(folder / "index.html", "index")
    for name, leads in (("out", str(secret)), ("up", str(shared)), ("in", "index.html"), ("sub", "..")):
        (folder / name).symlink_to(leads)

    desk.finish("20261129-000001")

    assert sorted(os.listdir(folder)) == ["in", "index.html", "up"]
    assert [notice for notice in desk.notices if "lead out" in notice] == [
        "site: out, sub in dist lead out of it, so nginx does not serve that"
    ]
    assert secret.read_text() == "secret"


@pytest.mark.parametrize(("leave", "said"), [("", "no folder dist"), ("dist/a", "no index.html")])
def test_a_release_without_the_folder_or_its_page_is_no_release(desk: Desk, leave: str, said: str) -> None:
    top = Path(desk.shelf.path("20261129-000001"))
    write(top / (leave or "other"), "a")

    with pytest.raises(BuildFailed, match=said):
        desk.finish("20261129-000001")


def test_a_page_that_is_a_link_out_is_no_page(desk: Desk, tmp_path: Path) -> None:
    folder = Path(desk.shelf.path("20261129-000001")) / "dist"
    folder.mkdir(parents=True)
    (folder / "index.html").symlink_to(write(tmp_path / "page", "page"))

    with pytest.raises(BuildFailed, match=r"no index\.html"):
        desk.finish("20261129-000001")


def test_the_folder_must_be_in_the_release(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/index.html", "")
    (tmp_path / "release").mkdir()
    (tmp_path / "release/dist").symlink_to("../elsewhere")

    with pytest.raises(DeployFailed, match="leads out of the release"):
        static_folder.require("site", str(tmp_path / "release"), "dist")


def test_only_files_whose_names_tell_their_content_are_kept_and_go_with_their_release(desk: Desk) -> None:
    one = desk.build(assets__index_DiwrgTda_js="")  # a name that no bundler makes
    (one / "assets/index-DiwrgTda.js").write_text("1")
    (one / "assets/index-DiwrgTda.js.gz").write_text("1gz")
    two = desk.build()
    (two / "app.55e7cbb9ba48.js").write_text("2")

    assert desk.kept() == {
        "app.55e7cbb9ba48.js": "2",
        "assets/index-DiwrgTda.js": "1",
        "assets/index-DiwrgTda.js.gz": "1gz",
    }
    desk.shelf.remove(one.parent.name)
    assert desk.kept() == {"app.55e7cbb9ba48.js": "2"}


def test_what_was_kept_for_another_service_goes_only_when_that_is_final(desk: Desk) -> None:
    kept = write(Path(desk.layout.static) / "old/app.55e7cbb9ba48.js", "")
    desk.build()

    static_files.unite(desk.shelf, desk.layout, {"site": "dist"}, is_final=False)
    assert kept.exists()
    static_files.unite(desk.shelf, desk.layout, {"site": "dist"}, is_final=True)
    assert not kept.parent.exists()


def test_a_record_of_times_that_is_lost_begins_after_the_times_that_files_have(desk: Desk) -> None:
    pages = {f"page{number}_html": "1" for number in range(3)}
    one = desk.build(**pages, a_css="11", b_css="12", c_css="13")
    os.remove(desk.layout.static_times)

    two = desk.build(**pages, a_css="21", b_css="22", c_css="23")

    assert not {second(path) for path in one.iterdir()} & {second(path) for path in two.iterdir()}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"last": "x", "stamped": 3}'])
def test_a_damaged_record_of_times_begins_anew(tmp_path: Path, text: str) -> None:
    write(tmp_path / "times", text)

    assert list(static_folder.Times(str(tmp_path / "times")).take(2))[-1] >= int(time.time()) - 1


def test_a_folder_of_the_site_that_assets_hide_is_told(desk: Desk) -> None:
    folder = desk.build(img__a_css="a", js__b_css="b").parent
    (folder / "public").mkdir()

    def told(assets_at: dict[str, str], path: str = "/") -> list[str]:
        desk.notices.clear()
        site = {"site": StaticService(name="site", static="dist", path=path)}
        static_files.finish(desk.shelf, desk.layout, site, folder.name, assets_at)
        return desk.notices

    words = "site: dist/img/ is not served: at {} is public, by assets of [release]"
    assert told({"/img/": "public"}) == [words.format("/img/")]
    assert told({"/docs/img/": "public", "/img/": "public"}, "/docs") == [words.format("/docs/img/")]
    assert told({"/other/": "public", "/img/": "dist/img"}) == []
