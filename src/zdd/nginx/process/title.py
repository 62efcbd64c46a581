"""What the title of an nginx master says: nginx writes there how it was started."""

from __future__ import annotations

import os
import re

from msgspec import Struct

from zdd.host import process

_ANGIE = re.compile(r" v\S+ #[0-9]+ \[(.*)\]")  # its version and how often it was reloaded; only then the words
_PROGRAM = re.compile(r" (/\S+)")
_OPTION = r" -%s ?(\S.*?)(?= -[a-zA-Z](?: |$)|$)"  # the value may contain spaces
_CONF_FILE, _PREFIX = re.compile(_OPTION % "c"), re.compile(_OPTION % "p")


class Title(Struct, frozen=True):
    """The program if it was named by its absolute path, and the values of -c and -p; None for what is not there."""

    program: str | None = None
    conf_file: str | None = None
    prefix: str | None = None

    @property
    def absolute_conf_file(self) -> str | None:
        """The value of -c if it is an absolute path."""
        return self.conf_file if self.conf_file and os.path.isabs(self.conf_file) else None


def title_of(pid: int) -> Title:
    """Return what the title of a process says; nothing if it is no master."""
    title = process.title(pid)
    master = next((master for master in process.NGINX_MASTERS if title.startswith(master)), None)
    if master is None:
        return Title()
    words = title.removeprefix(master)
    if angie := _ANGIE.fullmatch(words):
        words = f" {angie[1]}"
    found = (_PROGRAM.match(words), _CONF_FILE.search(words), _PREFIX.search(words))
    return Title(*(match[1].strip() if match else None for match in found))
