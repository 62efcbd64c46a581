"""Which authority was told which address."""

from __future__ import annotations

from pathlib import Path

from zdd.acme.accounts import Accounts
from zdd.acme.certbot import Account

SERVER = "https://ca.test/dir"


def test_an_address_that_changes_is_seen_for_each_authority(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    known = Accounts(str(path))
    assert not known.knows(SERVER)
    assert not known.has_moved(Account(SERVER, "a@shop.test"))

    known.learn(Account(SERVER, "a@shop.test"))

    assert Accounts(str(path)).knows(SERVER)
    assert [known.has_moved(Account(SERVER, email)) for email in ("a@shop.test", "b@shop.test", None)] == [
        False,
        True,
        True,
    ]
    assert not known.knows("https://other.test/dir")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("[")
    assert not known.knows(SERVER)
