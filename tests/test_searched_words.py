"""The words that people search for lead to a page, and README leads there, too."""

from __future__ import annotations

import re

import pytest

from .pages import DOCS, ROOT

WORDS = {
    "https": "https",
    "letsencrypt": "https",
    "certificate": "https",
    "static site": "static",
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
AWAITED = {"https", "static", "behind-a-proxy"}  # written beside this page; each is taken out once it is there
PAGES = sorted({page for page in WORDS.values() if (DOCS / f"guides/{page}.md").exists()})


@pytest.mark.parametrize("page", PAGES)
def test_the_title_or_the_first_paragraph_has_the_words(page: str) -> None:
    text = (DOCS / f"guides/{page}.md").read_text()
    title, paragraph, *_ = text.split("\n\n")
    begins = re.sub(r"\s+", " ", f"{title} {paragraph}").lower()

    assert [word for word, other in WORDS.items() if other == page and word not in begins] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_there(page: str) -> None:
    assert f"(docs/guides/{page}.md)" in (ROOT / "README.md").read_text()


def test_no_word_leads_nowhere() -> None:
    assert set(WORDS.values()) - set(PAGES) <= AWAITED
