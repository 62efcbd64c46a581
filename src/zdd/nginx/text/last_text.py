"""The text that zdd last gave nginx, kept so that zdd notices when somebody else changes the file."""

from __future__ import annotations

import json
import os
import re

from zdd.host import files


class LastText:
    """The copy, at `path`, with the number of its deploy; `current` is the link to the table in force."""

    def __init__(self, path: str, current: str) -> None:
        self.path = path
        self.current = current

    def keep(self, deploy: int, *texts: str | None) -> None:
        """
        Keep the text of this deploy; while nginx changes from one text to another, both.

        So a command that is killed on the way leaves nothing that looks like a change by somebody else. On a full disk
        the copy is removed.
        """
        try:
            files.write(self.path, json.dumps({"deploy": deploy, "texts": texts}), mode=0o600)
        except OSError:
            files.remove(self.path)

    def differs(self, text: str | None) -> bool:
        """
        Return whether zdd last gave nginx another text than this one; False if that is unknown.

        It is unknown if there is no copy, and if an older zdd, which keeps none, has deployed since.
        """
        try:
            last = files.read_object(self.path)
            return bool(last) and text not in last["texts"] and self._number() <= last["deploy"]
        except (OSError, KeyError, TypeError):
            return False

    def _number(self) -> int:
        """Return the deploy that serves, 0 if none does."""
        try:
            leads = re.search(r"([0-9]+)\+?[0-9]*$", os.readlink(self.current))
        except OSError:
            return 0
        return int(leads[1]) if leads else 0
