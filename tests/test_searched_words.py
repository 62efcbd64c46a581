"""The words that people search for lead to a page, and README leads there, too."""

from __future__ import annotations

import re

import pytest

from .pages import DOCS, ROOT

WORDS = {
    "https": "https",
    "let's encrypt": "certificates",
    "letsencrypt": "certificates",
    "certificate": "https",
    "static site": "static-sites",
    "cloudflare": "behind-a-proxy",
    "websocket": "websockets",
    "server-sent events": "websockets",
    "grpc": "grpc",
    "sticky session": "sticky",
    "socket.io": "sticky",
    "gradio": "sticky",
    "streamlit": "sticky",
    "several projects": "several-projects",
    "port 80": "several-projects",
}
PAGES = sorted(set(WORDS.values()))


@pytest.mark.parametrize("page", PAGES)
def test_the_title_or_the_first_paragraph_has_the_words(page: str) -> None:
    text = (DOCS / f"guides/{page}.md").read_text()
    title, paragraph, *_ = text.split("\n\n")
    begins = re.sub(r"\s+", " ", f"{title} {paragraph}").lower()

    assert [word for word, other in WORDS.items() if other == page and word not in begins] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_there(page: str) -> None:
    assert f"(docs/guides/{page}.md)" in (ROOT / "README.md").read_text()
