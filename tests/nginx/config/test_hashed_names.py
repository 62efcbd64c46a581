from __future__ import annotations

import pytest

from zdd.nginx.config import hashed_names

HASHED = """
    assets/index-DiwrgTda.js assets/index-B_k2-3xZ.js assets/logo-Cg2Mu0Td.svg assets/index-BPOtBuMR.css
    assets/index-4sK9fJxQ.css.br assets/index-DiwrgTda.js.map assets/inter-a1B2c3D4.woff2 docs/assets/app-CvLdIYwy.js
    index.55e7cbb9ba48.js static/js/main.8e2b1c4f.js static/css/main.8e2b1c4f.css.map.gz main-073c9b0a.chunk.css
    app-1a2b3c4d5e6f7a8b9c0d.js application-bf0a1c9e7f.css main-5ZHV3MVF.js chunk-FQ2AKUXR.js
    _next/static/abc/_buildManifest.js _astro/index.B3x2.css _app/immutable/entry/start.js
    main.min.3fdc1c14eb1f4e8e8bfa3a5a8c1b3d9f3fdc1c14eb1f4e8e8bfa3a5a8c1b3d9f.css
"""
PLAIN = """
    index.html favicon.ico robots.txt sw.js site.webmanifest logo-deadbeef.png photo-20240101.jpg IMG-20240101.jpg
    jquery-3.7.1.min.js report-2024-final.pdf vendor-bootstrap.css icon-Facebook.svg docs/guide-12345678.html
    assets/icon-Facebook.svg assets/icon-facebook.svg assets/icon-LinkedIn.svg assets/photo-20240101.jpg
    assets/font-Inter500.woff2 assets/icon-FACEBOOK.svg assets/bootstrap.min.css assets/readme-CHANGELOG.md
    a-ABCDEFGH.js my_next/static/x _next/data/x.json DiwrgTda.js
"""


@pytest.mark.parametrize("path", HASHED.split())
def test_names_as_bundlers_make_them_tell_their_content(path: str) -> None:
    assert hashed_names.matches(path)


@pytest.mark.parametrize("path", PLAIN.split())
def test_names_that_people_give_do_not(path: str) -> None:
    assert not hashed_names.matches(path)
