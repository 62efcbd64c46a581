"""docs/guides/ten-minutes.md: only what it says is typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zdd.load import Kind

from .guide import NAME, Block, Desk, blocks
from .host import ADDRESS, HERE, ROOT, Host, Visitors, assert_nothing_lost, eventually

TEXT = (ROOT / "docs/guides/ten-minutes.md").read_text()
GUIDE = blocks("ten-minutes")
MARK = "/run/before-the-reboot"
PORT = 8043  # where TLS is spoken for the visitors
BOTH = (Kind(weight=3), Kind("POST", "/api/echo", body=2000, weight=2))


@pytest.fixture(scope="module")
def desk(bare: Host, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(bare, tmp_path_factory.mktemp("desk"))


@contextmanager
def visitors() -> Iterator[Visitors]:
    tunnel = [str(HERE / "hosts.sh"), "near", sys.executable, str(HERE / "tls.py"), str(PORT), ADDRESS, NAME]
    with subprocess.Popen(tunnel, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        made = Visitors(f"127.0.0.1:{PORT}", kinds=BOTH, host=NAME)
        try:
            yield made
        finally:
            made.end()
            child.kill()


def section(name: str) -> list[Block]:
    return [block for block in GUIDE if block.section == name]


def rebooted(bare: Host) -> bool:
    """Whether the mark in /run is gone; None yet answers while it shuts down."""
    return bare.root("test", "-e", MARK, code=None).returncode == 1


def test_a_bare_server_serves_after_ten_minutes_and_again_after_a_reboot_in_the_middle_of_a_deploy(
    bare: Host, desk: Desk
) -> None:
    for name in ("The server", "The code", "What runs", "What nginx does", "The first deploy"):
        shown = [desk.do(block) for block in section(name)][-1]
    assert shown.endswith('the first version\n"first"')
    change, rollback, look = section("Every deploy after that")
    deploy = change.commands()[-1]

    with visitors() as early:
        desk.run("\n".join(change.commands()[:-1]), "shop")
        deploying = desk.start(deploy)
        eventually(lambda: bare.root("pgrep", "-f", "releases/.*/pip install", code=None).stdout)
        assert_nothing_lost(early.report(0))
    bare.root("touch", MARK)
    desk.do(section("When the server reboots")[0], code=None)
    assert deploying.wait(30) != 0
    eventually(lambda: rebooted(bare) and "first" in desk.curl("/", code=None))
    assert "first" in desk.curl("/api/version")

    with visitors() as late:
        desk.run(deploy)
        eventually(lambda: "second" in desk.curl("/"))
        eventually(lambda: "second" in desk.curl("/api/version"))
        desk.do(rollback)
        eventually(lambda: "first" in desk.curl("/"))
        assert_nothing_lost(late.report())
    assert desk.do(look).startswith("shop: deploy 5, serving\n")  # bringing it up was one, too


def test_http_2_is_spoken_and_http_leads_to_https(desk: Desk) -> None:
    assert desk.curl("/", "--http2", "--head").startswith("HTTP/2 200")
    assert f"location: https://{NAME}/some?where" in desk.curl("/some?where", "--head", scheme="http").lower()


def test_the_guide_counts_right() -> None:
    commands = sum(len(block.commands()) for block in GUIDE if not block.is_file)
    files = [block.where for block in GUIDE if block.where.startswith("/")]

    assert f"{commands} commands and {len(files)} files" in TEXT
