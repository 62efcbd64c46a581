"""The authority's last answer: certbot logs all of it, and prints a part."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple

from zdd.host import files

_BEGINS = "Received response:"  # certbot's words before each answer
_LINES = 400  # of the log: more than the last answer and what certbot says of it
_CLOCKS = 2.0  # seconds by which a file's time may be behind the clock's


class Answer(NamedTuple):
    """
    An answer by which an authority refuses something: HTTP's status and the kind of error (RFC 8555), as far as known.

    `until` is the time (as of time.time()) before which the authority refuses another request; None if it names none.
    """

    status: str = ""
    kind: str = ""
    until: float | None = None

    @property
    def text(self) -> str:
        """The status and the kind as text, in which the cause of a failure is looked for."""
        return ", ".join([*([f"status {self.status}"] if self.status else []), *([self.kind] if self.kind else [])])


NO_ANSWER = Answer()


def last(log: str, since: float) -> Answer:
    """Return the last answer in certbot's log, an empty one if it refuses nothing, or if the log is older than that."""
    try:
        if os.stat(log).st_mtime < since - _CLOCKS:
            return NO_ANSWER  # this certbot has logged nothing: the log holds the answer to a former one
    except FileNotFoundError:
        return NO_ANSWER
    _, _, text = "\n".join(files.tail(log, _LINES)).rpartition(_BEGINS)
    status, kinds = re.match(r"\s*HTTP (\d{3})\b", text), re.findall(r"acme:error:\w+", text)
    if not status or status[1] < "400":
        return Answer(kind=kinds[-1] if kinds else "")
    return Answer(status[1], kinds[-1] if kinds else "", _until(text))


def _until(text: str) -> float | None:
    """Return what the header Retry-After says: seconds from now, or a date."""
    if not (found := re.search(r"(?im)^Retry-After: *(.+?) *$", text)):
        return None
    if re.fullmatch(r"\d{1,9}", found[1]):
        return time.time() + int(found[1])
    from email.utils import parsedate_to_datetime  # here, because few authorities write a date

    try:
        return parsedate_to_datetime(found[1]).timestamp()
    except ValueError:
        return None
