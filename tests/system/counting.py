"""Run zddeploy and count, by what it touches, how its work grows: see test_growth.py. The counts go to a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from zdd.cli import main
from zdd.host import netlink
from zdd.keeper import client, survey
from zdd.keeper.record import Record
from zdd.nginx.config import lexer

COUNTS: dict[str, Any] = {"parsed": 0, "scanned": 0, "records": 0, "listed": 0, "counting": 0, "keepers": []}


def counted(of: Any, name: str, note: Callable[..., object]) -> None:
    """Call `note` with the arguments of each call."""
    real = getattr(of, name)

    def call(*args: Any, **more: Any) -> Any:
        note(*args)
        return real(*args, **more)

    setattr(of, name, call)


def add(count: str) -> None:
    COUNTS[count] += 1


def asked(*paths: str) -> None:
    COUNTS["keepers"] += [os.path.basename(path).removesuffix(".sock") for path in paths]


if __name__ == "__main__":
    file, *arguments = sys.argv[1:]
    counted(lexer, "tokens", lambda *_: add("parsed"))
    counted(os, "listdir", lambda path=".", *_: add("scanned") if path == "/proc" else None)
    counted(Record, "of", lambda *_: add("records"))
    counted(netlink, "dump", lambda *_: add("listed"))
    counted(client, "_say", lambda path, *_: asked(path))
    real = survey.ask

    def ask(paths: Any, op: str, *args: Any, **more: Any) -> Any:
        paths = list(paths)
        asked(*paths)
        COUNTS["counting"] += len(paths) if op == "status" and not more.get("brief") else 0
        return real(paths, op, *args, **more)

    survey.ask = ask  # type: ignore[assignment]
    sys.argv = ["zddeploy", *arguments]
    status = main.program.main(standalone_mode=False)
    COUNTS["keepers"] = sorted(set(COUNTS["keepers"]))
    with open(file, "w", encoding="ascii") as output:
        json.dump(COUNTS, output)
    sys.exit(status)
