"""Words as nginx reads them: what a server block answers with is what is read in its text."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from zdd.nginx.config import parse

from ..app import ask
from ..house import House

PIECES = [
    "a",
    "b",
    "#",
    "\\",
    '"',
    "'",
    " ",
    "\t",
    "\n",
    "{",
    "}",
    ";",
    "\u00e9",
    "\\n",
    "\\t",
    '\\"',
    "\\\\",
    ")",
    "\x0b",
]
WORDS = 60


def spelled(number: int) -> str:
    chance = random.Random(number)
    quote = chance.choice(["", '"', "'"])
    return quote + "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7))) + quote


def test_nginx_reads_the_same_words(house: House) -> None:
    taken = {}
    for number in range(WORDS):
        location = f"location = /{number} {{ return 200 {spelled(number)}; }}"
        (read, *others) = parse.parse(location)
        Path(house.folder, "try.conf").write_text(house.simple("", location), newline="")
        command = [house.binary.path, "-t", "-q", "-p", house.folder, "-c", "try.conf"]
        if subprocess.run(command, capture_output=True, timeout=20).returncode == 0:
            (returned,) = read.block or []
            assert others == []
            if len(returned.args) == 2:
                taken[number] = (location, returned.args[1])
    house.nginx.apply(house.simple("", "\n".join(location for location, _ in taken.values())))

    answers = {number: ask(house.port, f"/{number}").body.decode() for number in taken}

    assert len(taken) > WORDS / 3
    assert answers == {number: word for number, (_, word) in taken.items()}
