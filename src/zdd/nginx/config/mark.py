"""
The mark: a response header by which nginx says which text a worker runs, and which slot has answered.

nginx adds it only to answers to requests that carry a secret header, so visitors never see it. Its value has a word
that only this project knows, the hash of the text, the worker's process, and the addresses that nginx has tried:

    X-Zdd-Slot: WORD HASH PID unix:/run/zdd/shop/current/web/00 200

A process cannot prove which text it runs, since anybody may reload nginx at any moment; the mark can. The variable
costs nothing for other requests, because nginx evaluates a map only where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from zdd import digest

REQUEST_HEADER = "X-Zdd-Gate"
HEADER = "X-Zdd-Slot"
PLACEHOLDER = "zdd.mark"  # in a template

_DIGITS = 16
_NUMBER = "[0-9]{1,9}"  # of a process
_UNSEALED = "0" * _DIGITS
_VARIABLE = "$zdd_slot_"
# The addresses that nginx tried are followed by as many statuses. Both are parted by ", " for each further try and by
# " : " after an internal redirect.
_TRIED = r"(?P<addresses>.*?) (?P<statuses>[0-9-]+(?:(?:, | : )[0-9-]+)*)"


class Seen(Struct, frozen=True):
    """
    What the mark of an answer says: the hash of the worker's text, the worker, and what it connected to last.

    `pid` is the worker's number in its own PID namespace. `address` and `status` are None if nginx answered by itself.
    """

    digest: str
    pid: int
    address: str | None = None
    status: int | None = None


class Mark(Struct, frozen=True):
    """
    The words of a project's mark.

    `name` is part of the variable's name and differs for each project, since of two maps for one variable nginx
    silently takes the last. `secret` is the value of the request's header, `word` the beginning of the answer's.
    """

    name: str
    secret: str
    word: str

    def lines(self) -> str:
        """Return the lines for the http level."""
        value = f"{self.word} {_UNSEALED} $pid $upstream_addr $upstream_status"
        variable = f"{_VARIABLE}{self.name}"
        return f'map $http_x_zdd_gate {variable} {{ default ""; "{self.secret}" "{value}"; }}\n{self.header()}'

    def visitors(self, variable: str) -> str:
        """Return the line for the http level with a variable that is 0 for requests of zdd's own, and 1 for others."""
        return f'map $http_x_zdd_gate {variable} {{ default 1; "{self.secret}" 0; }}'

    def header(self) -> str:
        """Return the line for each block that has an add_header of its own, and so inherits none."""
        return f"add_header {HEADER} {_VARIABLE}{self.name} always;"

    def seal(self, text: str) -> str:
        """Return the text with its own hash in it: the hash of the text with zeros in its place."""
        seal = digest.of(text.encode(), _DIGITS)
        return text.replace(f"{self.word} {_UNSEALED}", f"{self.word} {seal}")

    def digest(self, text: str) -> str | None:
        """Return the hash in a sealed text, None if the text does not have this mark."""
        found = re.search(rf'"{self.word} ([0-9a-f]{{{_DIGITS}}}) ', text)
        return found[1] if found else None

    def read(self, values: Sequence[str]) -> Seen | None:
        """Return what the values of the header say. Only exactly one value that begins with our word is a proof."""
        own = [value for value in values if value.startswith(f"{self.word} ")]
        words = own[0].split(" ", 3) if len(own) == len(values) == 1 else []
        if len(words) < 3 or not re.fullmatch(_NUMBER, words[2]):
            return None
        seen = Seen(words[1], int(words[2]))
        if tried := re.fullmatch(_TRIED, words[3] if len(words) > 3 else ""):
            address, status = (re.split(", | : ", tried[part])[-1] for part in ("addresses", "statuses"))
            return replace(seen, address=address, status=int(status) if re.fullmatch("[0-9]{3}", status) else None)
        return seen


def is_in(text: str) -> bool:
    """Return whether a text has a mark, so that nobody but nginx and the deployer may read it."""
    return _VARIABLE in text
