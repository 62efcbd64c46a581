"""What certbot has left is used if it is whole, and removed if a certbot that was killed left it half written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.certificates import Authority
from zdd.acme.lineage import Folders

HOST = "shop.test"
AUTHORITY = Authority()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(str(tmp_path / "certbot"), str(tmp_path / "acme"))
    made.make(HOST)
    return made


def lay_out(folders: Folders, **how: float) -> Path:
    """Write the files of a host as certbot does; returns their folder."""
    config = Path(folders.root) / "config"
    live = config / "live" / HOST
    live.mkdir(parents=True)
    (config / "renewal").mkdir()
    issued = AUTHORITY.issue(config, HOST, **how)  # type: ignore[arg-type]
    for name in ("cert.pem", "chain.pem", "fullchain.pem"):
        (live / name).write_text(issued.certificate.read_text())
    (live / "privkey.pem").write_text(issued.key.read_text())
    settings = f"fullchain = {live}/fullchain.pem\n[renewalparams]\nserver = https://ca.test/dir\n"
    (config / f"renewal/{HOST}.conf").write_text(settings)
    return live


def test_a_whole_one_is_taken_and_kept(folders: Folders) -> None:
    live = lay_out(folders)

    folders.make(HOST)

    pair = folders.newest(HOST, time.time())
    assert pair == ((live / "fullchain.pem").read_text(), (live / "privkey.pem").read_text())
    assert folders.server(HOST) == "https://ca.test/dir"


def test_one_that_is_due_itself_is_not_worth_having(folders: Folders) -> None:
    lay_out(folders, days=20, age=70)

    assert folders.newest(HOST, time.time()) is None


@pytest.mark.parametrize("missing", ["privkey.pem", "chain.pem", "settings", "the key is another one's"])
def test_one_that_is_half_written_is_neither_used_nor_left(folders: Folders, missing: str) -> None:
    live = lay_out(folders)
    settings = live.parents[1] / f"renewal/{HOST}.conf"
    if missing == "settings":
        settings.write_text("")
    elif missing.startswith("the key"):
        other = AUTHORITY.issue(live.parents[1], HOST, name="other")
        (live / "privkey.pem").write_text(other.key.read_text())
    else:
        (live / missing).unlink()

    assert folders.newest(HOST, time.time()) is None
    folders.make(HOST)

    assert not live.exists()
    assert not settings.exists()


def test_nobody_else_may_look_into_the_folders(folders: Folders) -> None:
    Path(folders.root).chmod(0o755)

    folders.make(HOST)

    assert {path.stat().st_mode & 0o077 for path in (Path(folders.root), *Path(folders.root).iterdir())} == {0}
