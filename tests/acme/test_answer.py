"""The authority's last answer, from what certbot logs of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from zdd.acme import answer
from zdd.acme.answer import NO_ANSWER, Answer

GOOD = "2026-01-31 12:00:00,000:DEBUG:acme.client:Received response:\nHTTP 200\nRetry-After: 1\n\n{}\n"
LIMITED = """\
2026-01-31 12:00:01,000:DEBUG:acme.client:Received response:
HTTP 429
Server: nginx
Retry-After: AFTER

{
  "type": "urn:ietf:params:acme:error:rateLimited",
  "detail": "too many",
  "status": 429
}
2026-01-31 12:00:02,000:DEBUG:certbot._internal.log:Exiting abnormally:
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "letsencrypt.log"


def test_the_last_answer_says_status_kind_and_until_when(log: Path) -> None:
    log.write_text(GOOD + LIMITED.replace("AFTER", "3600"))

    found = answer.last(str(log), time.time())

    assert (found.status, found.kind, found.text) == (
        "429",
        "acme:error:rateLimited",
        "status 429, acme:error:rateLimited",
    )
    assert found.until == pytest.approx(time.time() + 3600, abs=60)


def test_until_when_may_be_a_date_and_nonsense_is_none(log: Path) -> None:
    log.write_text(LIMITED.replace("AFTER", "Sat, 31 Jan 2026 13:00:00 GMT"))
    assert answer.last(str(log), 0).until == 1769864400
    log.write_text(LIMITED.replace("AFTER", "soon"))
    assert answer.last(str(log), 0) == Answer("429", "acme:error:rateLimited")


def test_an_answer_that_refuses_nothing_and_none_at_all_say_nothing(log: Path) -> None:
    assert answer.last(str(log), 0) == NO_ANSWER
    log.write_text(LIMITED.replace("AFTER", "1") + GOOD)
    assert answer.last(str(log), 0) == NO_ANSWER
    log.write_text("2026-01-31 12:00:00,000:DEBUG:certbot:nothing")
    assert answer.last(str(log), 0) == NO_ANSWER


def test_what_a_former_certbot_was_told_does_not_count(log: Path) -> None:
    log.write_text(LIMITED.replace("AFTER", "1"))
    os.utime(log, (1000, 1000))

    assert answer.last(str(log), 1010) == NO_ANSWER
    assert answer.last(str(log), 1001).status == "429"
