from __future__ import annotations

import re
import time

import pytest

from zdd.nginx.config import hashed_names

HASHED = """
    assets/index-DiwrgT7a.js assets/index-B_k2-3xZ.js assets/logo-Cg2Mu0Td.svg assets/index-BPOtBuMR.css
    assets/index-4sK9fJxQ.css.br assets/index-DiwrgT7a.js.map assets/inter-a1B2c3D4.woff2 docs/assets/app-CvLdIYwy.js
    index.55e7cbb9ba48.js static/js/main.8e2b1c4f.js static/css/main.8e2b1c4f.css.map.gz main-073c9b0a.chunk.css
    app-1a2b3c4d5e6f7a8b9c0d.js application-bf0a1c9e7f.css main-5ZHV3MVF.js chunk-FQ2AKUXR.js
    _next/static/abc/_buildManifest.js _astro/index.B3x2.css _app/immutable/entry/start.js _nuxt/DlAUqK2U.js
    main.min.3fdc1c14eb1f4e8e8bfa3a5a8c1b3d9f3fdc1c14eb1f4e8e8bfa3a5a8c1b3d9f.css
"""
# A bundler may have made these as well as a person.
EITHER = """
    assets/index-DiwrgTda.js assets/theme-DarkMode.css assets/share-LinkedIn.js assets/app-side-nav.css
    assets/theme-dark_mod.css assets/app-MyWidget.mjs chunk-ABCDEFGH.js main.deadbeef.css.gz main.12345678.js
    assets/font-v2-latin.woff2 assets/logo-1024x768.png assets/card-v1-cover.png assets/thumb-_640x480.jpg
    assets/team-Photo-V2.png poster-SUMMER24.pdf 2024-01-report-abcdef12.pdf photo-20240101b.jpg
    avatar-550e8400-e29b-41d4-a716-446655440a00.png
"""
PLAIN = """
    index.html favicon.ico robots.txt sw.js site.webmanifest logo-deadbeef.png photo-20240101.jpg IMG-20240101.jpg
    jquery-3.7.1.min.js report-2024-final.pdf vendor-bootstrap.css icon-Facebook.svg docs/guide-12345678.html
    assets/icon-Facebook.svg assets/icon-facebook.svg assets/icon-LinkedIn.svg assets/photo-20240101.jpg
    assets/font-Inter500.woff2 assets/icon-FACEBOOK.svg assets/bootstrap.min.css assets/readme-CHANGELOG.md
    my_next/static/x _next/data/x.json DiwrgTda.js _nuxt/builds/latest.json
"""


def is_for_ever(path: str) -> bool:
    return re.search(hashed_names.FOR_EVER, f"/{path}") is not None


@pytest.mark.parametrize("path", HASHED.split())
def test_names_as_bundlers_make_them_are_kept_by_browsers_and_from_release_to_release(path: str) -> None:
    assert is_for_ever(path)
    assert hashed_names.matches(path)


@pytest.mark.parametrize("path", EITHER.split())
def test_names_that_a_person_may_have_given_are_kept_from_release_to_release_only(path: str) -> None:
    assert not is_for_ever(path)
    assert hashed_names.matches(path)


@pytest.mark.parametrize("path", PLAIN.split())
def test_names_that_people_give_are_neither(path: str) -> None:
    assert not is_for_ever(path)
    assert not hashed_names.matches(path)


@pytest.mark.parametrize("part", ["-", "_", "-a", "0", "a", "A0", "-A", "-00000000", "assets/", "a/", "."])
def test_no_name_takes_long(part: str) -> None:
    """nginx asks for each request, with whatever path a visitor sends."""
    path = f"assets/-{part * (32000 // len(part))}"
    begun = time.process_time()

    assert not is_for_ever(path)
    hashed_names.matches(path)

    assert time.process_time() - begun < 5  # it takes hundredths of one
