"""The path of a request, as it is sent and as nginx compares it."""

from __future__ import annotations

import pytest

from zdd.nginx.config import request_path


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/a b", "/a%20b"), ("/café", "/caf%C3%A9"), ("/caf\udce9", "/caf%E9")],
    ids=["space", "UTF-8", "another encoding"],
)
def test_every_path_of_a_text_can_be_sent_and_is_known_again(path: str, sent: str) -> None:
    """A text in another encoding is read with its odd bytes escaped (PEP 383)."""
    assert request_path.encoded(path) == sent
    assert request_path.decoded(sent) == path
