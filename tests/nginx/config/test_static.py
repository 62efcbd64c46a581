"""
The text of static services in a real nginx: each request is answered from one release, and what is not a file of it.

The slot is switched as fast as the machine can, so that a switch falls between any two files that nginx looks for.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.waiting import eventually
from zdd.nginx.config.setup import Route
from zdd.nginx.config.static import StaticSite

from ..app import PATIENCE, ask
from ..house import House

_ASKED = 600
_SWITCHING = """
import os
while True:
    for release in ("two", "one"):
        os.symlink(release, "new")
        os.rename("new", "current")
"""
_BR = {"Accept-Encoding": "br"}


class Site:
    """Two releases, one and two, and a slot that leads to one of them."""

    def __init__(self, house: House, where: str = "/", spa: bool = False, **changes: object) -> None:
        self.house = house
        self.folder = Path(house.folder)
        self.slot = self.folder / "current"
        self.slot.symlink_to("one")
        (self.folder / "kept").mkdir()
        for release in ("one", "two"):
            self.write(release, "index.html", f"index of {release}")
        site = StaticSite(str(self.slot), spa, str(self.folder / "kept"))
        route = Route("my-site", path=where.rstrip("/") or "/")
        house.serve(routes=[route], upstreams={}, static={"my-site": site}, **changes)

    def write(self, release: str, name: str, text: str) -> Path:
        path = self.folder / release / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def lead(self, release: str) -> None:
        new = self.folder / "new"
        new.symlink_to(release)
        new.rename(self.slot)

    @contextmanager
    def switching(self) -> Iterator[None]:
        """Switch without a pause, in a process of its own: a thread would wait for the one that asks."""
        with subprocess.Popen([sys.executable, "-Sc", _SWITCHING], cwd=self.folder) as switching:
            try:
                yield
            finally:
                switching.kill()

    def answers(self, path: str, headers: dict[str, str] | None = None, kinds: int = 2) -> set[tuple[int, str]]:
        """Return the status, and Location or body, of many answers while it is switched, at least so many kinds."""
        seen = set[tuple[int, str]]()
        connection = http.client.HTTPConnection("127.0.0.1", self.house.port, timeout=PATIENCE)
        with self.switching():
            eventually(lambda: os.readlink(self.slot) == "two")
            for number in range(100 * _ASKED):
                if number >= _ASKED and len(seen) >= kinds:
                    break
                connection.request("GET", path, headers=headers or {})
                answer = connection.getresponse()
                body = answer.read().decode()
                seen.add((answer.status, answer.headers.get("Location", body)))
        connection.close()
        (self.folder / "new").unlink(missing_ok=True)
        return seen


@pytest.mark.parametrize("where", ["/", "/docs/"])
def test_a_page_that_is_a_file_in_one_release_and_a_folder_in_the_other_is_always_there(
    house: House, where: str
) -> None:
    site = Site(house, where)
    site.write("one", "about.html", "about of one")
    site.write("two", "about/index.html", "about of two")

    assert site.answers(f"{where}about") == {(200, "about of one"), (301, f"{where}about/")}


def test_index_and_error_pages_are_of_the_release_that_was_asked(house: House) -> None:
    site = Site(house)
    site.write("one", "guide/index.html", "guide of one")
    site.write("one", "404.html", "none in one")
    site.write("two", "guide", "file of two")
    site.write("two", "404.html", "none in two")

    assert site.answers("/guide/") == {(200, "guide of one"), (404, "none in two")}
    assert site.answers("/missing") == {(404, "none in one"), (404, "none in two")}


def test_the_page_of_an_spa_that_only_one_release_has_as_a_file(house: House) -> None:
    site = Site(house, spa=True)
    site.write("one", "user.html", "user of one")

    assert site.answers("/user") == {(200, "user of one"), (200, "index of two")}


def test_a_compressed_neighbour_that_only_one_release_has(house: House) -> None:
    site = Site(house)
    site.write("one", "style.css", "style of one")
    site.write("two", "style.css", "style of two")
    site.write("two", "style.css.br", "packed of two")

    assert site.answers("/style.css", _BR) == {(200, "style of one"), (200, "packed of two")}
    assert site.answers("/style.css") == {(200, "style of one"), (200, "style of two")}


def test_a_file_whose_name_tells_its_content_is_there_also_when_only_the_kept_ones_have_it(house: House) -> None:
    site = Site(house)
    site.write("two", "app.55e7cbb9ba48.js", "app")
    site.write("kept", "app.55e7cbb9ba48.js", "app")

    assert site.answers("/app.55e7cbb9ba48.js", kinds=1) == {(200, "app")}


def test_releases_whose_paths_differ_in_length(house: House) -> None:
    """nginx measures a value before it copies it: a slot that it resolves for each of the two gives half a path."""
    site = Site(house)
    for release, path in (("one", "d/" * 40 + "one"), ("two", "d/" * 60 + "two")):  # a switch falls in between
        shutil.rmtree(site.folder / release)
        site.write(path, "a.txt", release)
        (site.folder / release).symlink_to(path)

    assert site.answers("/a.txt") == {(200, "one"), (200, "two")}


def test_a_folder_has_no_page_but_its_index(house: House) -> None:
    site = Site(house, "/docs/")
    for name in (".html", "sub/.html", "sub/a.txt"):
        site.write("one", name, "hidden")
    site.write("one", "full/.html", "hidden")
    site.write("one", "full/index.html", "full")

    found = {path: ask(house.port, f"/docs/{path}") for path in ("", "sub/", "full/", "sub", "none/", ".html")}

    assert [answer.status for answer in found.values()] == [200, 404, 200, 301, 404, 404]
    assert [found[path].body.decode() for path in ("", "full/")] == ["index of one", "full"]


def test_nothing_is_served_while_the_slot_leads_nowhere(house: House) -> None:
    site = Site(house)
    site.lead("nowhere")

    for path in ("/", "/etc/passwd", "/index.html", "/app.55e7cbb9ba48.js", "/.env", "/style.css"):
        assert ask(house.port, path, headers=_BR).status in (404, 500)
    assert ask(house.port, "/zdd-brotli/my-site/etc/passwd", headers=_BR).status in (404, 500)


def test_the_users_headers_are_on_files_too_but_for_those_that_each_file_has_of_its_own(house: House) -> None:
    lines = 'add_header X-Frame-Options "DENY; \\"$host\\"" always;\nadd_header Cache-Control private;\n'
    site = Site(house, server_lines=lines)
    site.write("one", "style.css", "style")
    site.write("one", "style.css.br", "packed")
    site.write("kept", "app.55e7cbb9ba48.js", "app")

    for path in ("/", "/style.css", "/missing", "/app.55e7cbb9ba48.js"):
        for headers in ({}, _BR):
            answer = ask(house.port, path, headers={"Host": "x.test", **headers})
            assert answer.headers["x-frame-options"] == 'DENY; "x.test"'
            assert answer.headers["cache-control"] in ("no-cache", "public, max-age=31536000, immutable")


def test_odd_paths_stay_inside_and_are_found_as_they_are_spelled(house: House) -> None:
    site = Site(house)
    names = ["a b.txt", "100%.txt", "größe.txt", "what?.txt", "a#b.txt", "sub/x.txt", "a+b.txt", "A.txt", "l\nf.txt"]
    for name in names:
        site.write("one", name, name)
    (site.folder / "one" / os.fsdecode(b"odd\xff.txt")).write_text("odd")
    site.write(".", "secret.txt", "secret")
    site.write("one", "..hidden", "hidden")

    for name in names:
        assert ask(house.port, f"/{quote(name)}").body.decode() == name
    assert ask(house.port, "/odd%FF.txt").body == b"odd"
    assert ask(house.port, "//sub///x.txt?a=b").body == b"sub/x.txt"
    assert ask(house.port, "/sub/../a%20b.txt").body == b"a b.txt"
    for path in ("/..%2fsecret.txt", "/sub/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt", "/../secret.txt", "/..hidden"):
        assert ask(house.port, path).status in (400, 404)
    assert ask(house.port, "/a.txt").status == 404
    assert ask(house.port, "/sub/x.txt/").status == 404
    assert ask(house.port, f"/{'x' * 300}").status == 404
    assert ask(house.port, f"/{'x/' * 2500}").status == 404
    redirected = ask(house.port, "/sub?a=b")
    assert (redirected.status, redirected.headers["location"]) == (301, "/sub/?a=b")
    assert ask(house.port, "//sub").headers["location"] == "/sub/"
    site.write("one", "l\nf/index.html", "")
    assert ask(house.port, "/l%0Af").headers["location"] == "/l%0Af/"


def test_pipes_and_sockets_are_no_files(house: House) -> None:
    site = Site(house)
    os.mkfifo(site.folder / "one/pipe.html")

    assert ask(house.port, "/pipe.html").status == 404
    assert ask(house.port, "/pipe").status == 404


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("notes.txt", "text/plain; charset=utf-8"),
        ("subtitles.vtt", "text/vtt; charset=utf-8"),
        ("app.js.map", "application/json"),
        ("module.wasm", "application/wasm"),
        ("site.webmanifest", "application/manifest+json"),
        ("photo.avif", "image/avif"),
        ("font.woff2", "font/woff2"),
        ("feed.xml", "text/xml"),  # says its own
        ("LOGO.SVG", "image/svg+xml"),
    ],
)
def test_each_file_has_its_type_and_text_is_utf_8(house: House, name: str, expected: str) -> None:
    site = Site(house)
    site.write("one", name, "text")

    assert ask(house.port, f"/{name}").headers["content-type"] == expected
