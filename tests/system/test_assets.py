"""Assets at any URL path: nginx serves those of all releases, and asks the app for what is in none."""

from __future__ import annotations

import pytest

from tests.waiting import eventually

from .code import configure
from .project import Project
from .static_code import ask

FOR_EVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/", "/shop"])
def test_files_at_another_path_than_their_folders_outlive_their_release(project: Project, path: str) -> None:
    url = f"{path.rstrip('/')}/_next/static"
    code = configure(project, release=f'assets = {{"{url}" = ".next/static"}}', path=path)
    code.commit(1, **{".next__static__chunks__one.js": "1", ".next__static__same.css": "a"})
    project.zddeploy()
    code.commit(2, **{".next__static__chunks__one.js": None, ".next__static__chunks__two.js": "2"})
    project.zddeploy()

    one, two = (ask(project, f"{url}/chunks/{name}.js") for name in ("one", "two"))
    assert (one.text, two.text) == ("1", "2")
    assert (one.headers["content-type"], one.headers["cache-control"]) == ("text/javascript", FOR_EVER)
    assert "x-release" not in one.headers
    eventually(lambda: ask(project, f"{url}/chunks/three.js").headers.get("x-release") == "2")
    assert project.zddeploy("check").returncode == 0


def test_a_folder_at_its_own_name_is_as_ever_and_only_hashed_names_are_kept_by_browsers(project: Project) -> None:
    code = configure(project, release='assets = ["public/static"]')
    code.commit(1, **{"public__static__app.css": "a", "public__static__app.55e7cbb9ba48.css": "b"})
    project.zddeploy()

    plain, hashed = ask(project, "/static/app.css"), ask(project, "/static/app.55e7cbb9ba48.css")

    assert (plain.text, plain.headers.get("cache-control")) == ("a", None)
    assert (hashed.text, hashed.headers["cache-control"]) == ("b", FOR_EVER)
    assert ask(project, "/static/missing.css").headers["x-release"] == "1"


def test_two_versions_of_one_size_and_from_one_reproducible_build_are_told_apart(project: Project) -> None:
    build = 'build = ["touch -d @1700000000 public/static/*"]'
    code = configure(project, release=f'assets = ["public/static"]\n{build}')
    code.commit(1, **{"public__static__app.css": "1111", "public__static__same.css": "same"})
    project.zddeploy()
    app, same = ask(project, "/static/app.css"), ask(project, "/static/same.css")
    code.commit(2, **{"public__static__app.css": "2222"})
    project.zddeploy()

    again = ask(project, "/static/app.css", If_None_Match=app.headers["etag"])
    assert (again.status, again.text) == (200, "2222")
    assert ask(project, "/static/app.css", If_Modified_Since=app.headers["last-modified"]).status == 200
    assert ask(project, "/static/same.css", If_None_Match=same.headers["etag"]).status == 304


def test_hidden_files_in_the_folder_are_not_sent_but_those_that_are_well_known(project: Project) -> None:
    code = configure(project, release='assets = { "/_next/static" = ".next/static" }')
    code.commit(1, **{".next__static__.env": "secret", ".next__static__.npm__config": "secret"})
    code.commit(1, **{".next__static__.well-known__security.txt": "to all"})
    project.zddeploy()

    assert ask(project, "/_next/static/.well-known/security.txt").text == "to all"
    for name in (".env", ".npm/config"):
        answer = ask(project, f"/_next/static/{name}")
        assert answer.headers["x-release"] == "1"  # the app was asked
        assert "secret" not in answer.text
