"""A table with a static site is one that the old program reads: it knows nothing of the site, and leaves it alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

import msgspec

from zdd.routing.manifest import Instance, Manifest, StaticFolder

from .programs import OLD, Program

_READ = """\
import json, sys, msgspec
from zdd.switch.manifest import Manifest
read = msgspec.json.decode(sys.stdin.read(), type=Manifest)
print(json.dumps([read.deploy, read.committed, list(read.instances), read.slots()]))
"""


def test_the_old_program_reads_its_manifest(programs: Mapping[str, Program]) -> None:
    web = Instance("web-1", "web", "fd", "r1")
    table = Manifest(
        7, "deploy", {"web-1": web}, stage="committed", committed=True, static={"site": StaticFolder("r1", "dist")}
    )

    read = subprocess.run(
        [programs[OLD].python, "-c", _READ],
        input=msgspec.json.encode(table).decode(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(read.stdout) == [7, True, ["web-1"], {"web/00": "web-1"}]
