"""What README and docs/ say is so: reference pages are made of the source, configurations are understood."""

from __future__ import annotations

import ast
import functools
import re
import sys
from pathlib import Path

import pytest

from tools import picture
from tools.reference import __main__ as reference
from tools.reference import refusals
from tools.reference.objects import CURES, EVENTS, MEANINGS
from zdd.conf import read
from zdd.events import REASONS, Event
from zdd.instances.state import ORPHANED
from zdd.keeper.states import SHOWN
from zdd.nginx.config import pool, upstream
from zdd.nginx.config.parse import parse
from zdd.operate.status import InstanceStatus

from .pages import DOCS, ROOT, Block, Page
from .system.typist import GUIDES

SOURCE = ROOT / "src" / "zdd"
PAGES = [Page(path) for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))]
TOML = [block for page in PAGES for block in page.blocks if block.language == "toml"]

FOLLOWED = {  # pages with something to write or to type, and the test that does all of it, or sees that others do
    "README": "system/test_readme.py",
    "index": "test_docs.py",
    "tutorial": "system/test_docs.py",
    **dict.fromkeys((*GUIDES, "migrations", "websockets"), "system/test_guides.py"),
    "behind-a-proxy": "system/test_behind_a_proxy.py",
    "several-hosts": "system/test_several_hosts.py",
    "several-projects": "system/test_several_projects.py",
    "grpc": "system/test_grpc.py",
    "sticky": "system/test_sticky.py",
    **dict.fromkeys(("ten-minutes", "system-nginx", "systemd", "ci-over-ssh", "upgrade"), "lab/test_guides.py"),
    "certificates": "lab/test_certificate.py",
}


def test_what_a_page_has_to_write_or_to_type_is_written_and_typed_by_a_test() -> None:
    assert {block.page for page in PAGES for block in page.blocks if block.is_to_do} == set(FOLLOWED)


def test_the_first_page_has_what_the_readme_has() -> None:
    readme = (ROOT / "README.md").read_text()

    for block in Page(DOCS / "index.md").blocks:
        assert block.text in readme


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_reference_page_is_made_of_the_source(name: str) -> None:
    committed = (DOCS / "reference" / name).read_text()

    assert reference.PAGES[name]() == committed, "`python -m tools.reference` writes it anew"


def test_the_picture_is_made_of_the_tutorials_screens() -> None:
    assert picture.PICTURE.read_text() == picture.picture(), "`python -m tools.picture` draws it anew"


def test_every_event_is_on_the_page_about_json() -> None:
    assert set(EVENTS) == set(Event.__subclasses__())


def test_every_reason_why_something_is_not_proved_is_on_the_page_about_json() -> None:
    page = (DOCS / "reference/json.md").read_text()

    assert set(CURES) == set(REASONS)
    assert all(f"| `{reason}` | {words} |" in page for reason, words in REASONS.items())


def test_every_state_of_an_instance_is_on_the_page_about_json() -> None:
    words = MEANINGS[InstanceStatus]["state"]

    assert [state for state in {*SHOWN.values(), "dead", ORPHANED} if f"`{state}`" not in words] == []


@pytest.mark.parametrize("row", [row for _, rows in refusals.TABLES for row in rows], ids=lambda row: row.said)
def test_what_the_page_about_refusals_quotes_is_said_by_the_source(row: refusals.Words) -> None:
    """A message may be put together of three texts of the source."""
    parts = [part.split() for part in row.said.split("…")]

    assert any(parts)
    for part in parts:
        assert texts_in(part) <= 3, part


def texts_in(words: list[str]) -> int:
    """Of how many texts of the source these words are made, the longest ones first; infinite if of none."""
    if not words:
        return 0
    for count in range(len(words), 0, -1):
        if " ".join(words[:count]) in all_said():
            return 1 + texts_in(words[count:])
    return sys.maxsize


@functools.cache
def all_said() -> str:
    trees = [tree for path in SOURCE.rglob("*.py") for tree in ast.walk(ast.parse(path.read_text()))]
    return "\n".join("".join(said(tree)) for tree in trees)


def said(tree: ast.AST) -> list[str]:
    """The text of a string in the source; what varies is … there, too."""
    if isinstance(tree, ast.JoinedStr):
        return [text for part in tree.values for text in (said(part) or ["…"])]
    return [tree.value] if isinstance(tree, ast.Constant) and isinstance(tree.value, str) else []


def test_both_versions_answer_for_as_long_as_the_pages_say() -> None:
    (group,) = parse(upstream.block("web", ["unix:/run/slot"], (1, 22, 1)))

    assert f"**{pool.tail(group, (1, 22, 1)):g} s**" in (DOCS / "how-it-works.md").read_text()
    pages = [page.text for page in PAGES if "both versions answer" in page.text]
    assert all("0.12 s" in text for text in pages)


@pytest.mark.parametrize("block", TOML, ids=str)
def test_every_configuration_in_the_docs_is_understood(tmp_path: Path, block: Block) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    text = block.text if "[service." in block.text else f'{block.text}\n[service.web]\nrun = "sleep 1"\n'
    (folder / "deploy.toml").write_text(text)
    (folder / "server.nginx").touch()  # which server_include names

    assert read.load(folder / "deploy.toml").services


def test_every_command_in_the_docs_exists() -> None:
    from zdd.cli.main import COMMANDS

    typed = [
        block.text for page in PAGES for block in page.blocks if block.language in ("sh", "console", "yaml", "ini")
    ]
    named = re.findall(r"`zddeploy ([a-z]+)", "".join(page.text for page in PAGES))
    named += re.findall(r"zddeploy (?:-c \S+ )?([a-z]+)", "".join(typed))

    assert len(named) > 20
    assert set(named) <= set(COMMANDS)
