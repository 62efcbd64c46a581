"""Which authorities have an account of this project, each with its contact address: kept in S."""

from __future__ import annotations

import json

from zdd.acme.certbot import Account
from zdd.host import files


class Accounts:
    """The authorities that were asked, by the URLs of their directories. A damaged file counts as empty."""

    def __init__(self, path: str) -> None:
        self.path = path

    def knows(self, server: str) -> bool:
        """Return whether this authority was asked before."""
        return server in files.read_object(self.path)

    def has_moved(self, account: Account) -> bool:
        """Return whether the authority has another contact address than this account's."""
        known = files.read_object(self.path)
        return account.server in known and known[account.server] != account.email

    def learn(self, account: Account) -> None:
        """Record that the authority is asked by this account. Raises OSError."""
        known = files.read_object(self.path) | {account.server: account.email}
        files.write(self.path, json.dumps(known), mode=0o600)
