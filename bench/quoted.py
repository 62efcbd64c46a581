"""What README and docs quote from the results: tables between two comments, written anew with every report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import beside, switches
from bench.figures import Deploys

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- from bench/results: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write(results: Path) -> None:
    """Have every page quote these results."""
    for page in pages():
        page.write_text(text(page, results))


def pages() -> list[Path]:
    """Return the pages that quote results."""
    return [page for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if MARKED.search(page.read_text())]


def text(page: Path, results: Path) -> str:
    """Return the page as it is when it quotes these results."""

    def quote(found: re.Match[str]) -> str:
        read = json.loads((results / f"{found[2]}.json").read_text())
        return "\n".join([found[1], *TABLES[found[2]](Deploys(read)), "", f"{origin(read)}.", "", found[3]])

    return MARKED.sub(quote, page.read_text())


TABLES: dict[str, Callable[[Deploys], list[str]]] = {"deploys": beside.summary, "switches": switches.rows}


def origin(read: dict[str, Any]) -> str:
    """Name the machine in a line."""
    versions = read["versions"]
    return (
        f"Medians of {len(read['runs'])} runs; {read['cpu']}, {read['cores']} cores, Linux {read['kernel']}, "
        f"zdd {versions['zdd']}, nginx {versions['nginx']}, {read['date']}"
    )
