"""REPORT.md: every figure in it is in, or computed from, the results beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.beside import deploys
from bench.growing import growth
from bench.switches import switches
from bench.targets import targets
from bench.through import path


def write(folder: Path) -> None:
    """Write the report of the results that are there."""
    (folder / "REPORT.md").write_text(text(folder))


def text(folder: Path) -> str:
    """Return the whole report."""
    files = {name: folder / f"{name}.json" for name in PARTS}
    results = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    parts = [HEAD, "\n".join(targets(results))]
    for name, found in results.items():
        picture = f"![What the tables below say, as a picture]({name}.png)"
        parts.append("\n".join([*PARTS[name](found, picture), "", f"*{name}.json: {origin(found)}*", ""]))
    return "\n".join(parts)


def origin(found: dict[str, Any]) -> str:
    """Name the machine and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    machine = f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB, Linux {found['kernel']}"
    return f"{found['date']}, {machine}, load average {found['load']:.1f} before it began; {versions}"


PARTS = {"deploys": deploys, "switches": switches, "path": path, "growth": growth}

HEAD = """\
# zdd beside its peers

Written by `./dev bench`; bench/ is what measured it, bench/peers/ how each peer was driven.
"""
