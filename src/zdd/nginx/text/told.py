"""The text that nginx was made to run last, kept to notice when somebody else changes the file."""

from __future__ import annotations

import json
import os
import re

from zdd.host import files


class Told:
    """The copy, at `path`, and the deploy that told it; `current` is the link to the table in force."""

    def __init__(self, path: str, current: str) -> None:
        self.path = path
        self.current = current

    def keep(self, deploy: int, *texts: str | None) -> None:
        """
        Keep the text of this deploy; while nginx changes from one to another, both. On a full disk nothing is kept.

        So a command that is killed on the way leaves nothing that looks like a change by somebody else.
        """
        try:
            files.write(self.path, json.dumps({"deploy": deploy, "texts": texts}), mode=0o600)
        except OSError:
            files.remove(self.path)

    def differs(self, text: str | None) -> bool:
        """
        Return whether nginx last got another text than this one, as far as that is known.

        It is unknown if nothing was kept, and if a later deploy serves, which an older zdd has made.
        """
        try:
            told = files.read_object(self.path)
            return bool(told) and text not in told["texts"] and self._number() <= told["deploy"]
        except (OSError, KeyError, TypeError):
            return False

    def _number(self) -> int:
        """Return the deploy that serves, 0 if none does."""
        try:
            leads = re.search(r"([0-9]+)\+?[0-9]*$", os.readlink(self.current))
        except OSError:
            return 0
        return int(leads[1]) if leads else 0
