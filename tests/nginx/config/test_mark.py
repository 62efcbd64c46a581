"""The mark: which text a worker runs, and which slot has answered."""

from __future__ import annotations

import pytest

from zdd.nginx.config.mark import Mark, Seen

MARK = Mark("0123456789ab", "5" * 32, "a" * 32)
SLOT = "unix:/run/zdd/shop/current/web/00"


def value(rest: str, word: str = MARK.word) -> str:
    return f"{word} 0123456789abcdef 4711 {rest}"


def test_the_same_text_has_the_same_hash_and_another_text_another_one() -> None:
    one, same, other = (MARK.seal(f"{MARK.lines()}\n{more}") for more in ("a;", "a;", "b;"))

    assert one == same
    assert MARK.digest(one) != MARK.digest(other)
    assert f'"{MARK.word} {MARK.digest(one)} $pid' in one


def test_a_text_without_the_mark_is_sealed_by_nothing_and_has_no_hash() -> None:
    assert MARK.seal("http {}") == "http {}"
    assert MARK.digest("http {}") is None
    assert Mark("0123456789ab", "5" * 32, "b" * 32).digest(MARK.seal(MARK.lines())) is None


@pytest.mark.parametrize(
    ("rest", "address", "status"),
    [
        (f"{SLOT} 200", SLOT, 200),
        (f"unix:/r/web/01, {SLOT} 502, 200", SLOT, 200),
        (f"unix:/r/other/00 : {SLOT} 404 : 200", SLOT, 200),
        (f"unix:/r/other/00 : unix:/r/web/01, {SLOT} 404 : 502, 504", SLOT, 504),
        ("unix:/a folder/current/web/00 200", "unix:/a folder/current/web/00", 200),
        ("127.0.0.1:8000 -", "127.0.0.1:8000", None),
        ("web 502", "web", 502),
        (" ", None, None),
        ("", None, None),
    ],
    ids=[
        "one try",
        "the second try",
        "after an internal redirect",
        "tries after a redirect",
        "a path with a space",
        "no status",
        "no living server",
        "nginx itself",
        "nothing",
    ],
)
def test_the_last_address_of_the_last_group_has_answered(rest: str, address: str | None, status: int | None) -> None:
    assert MARK.read([value(rest)]) == Seen("0123456789abcdef", 4711, address, status)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [value(SLOT, "b" * 32)],
        [value(f"{SLOT} 200"), value(f"{SLOT} 200")],
        [value(f"{SLOT} 200"), "more"],
        [f"{MARK.word} 0123456789abcdef"],
        [f"{MARK.word} 0123456789abcdef pid {SLOT} 200"],
    ],
    ids=["none", "empty", "a foreign word", "two marks", "a line of somebody else's", "cut", "no number"],
)
def test_anything_but_one_mark_of_ours_proves_nothing(values: list[str]) -> None:
    assert MARK.read(values) is None
