"""What a terminal gets of others' text: nothing that it would obey, and nothing that nobody sees."""

from __future__ import annotations

import json
import tomllib

import pytest

from zdd.visible import in_json, in_toml, visible

UNSEEN = {
    "a C1 control": ("\x9b", r"\x9b"),
    "a next line": ("\x85", r"\x85"),
    "a carriage return": ("\r", r"\x0d"),
    "an override of direction": ("\u202e", r"\u202e"),
    "an isolate": ("\u2066", r"\u2066"),
    "an Arabic letter mark": ("\u061c", r"\u061c"),
    "a soft hyphen": ("\xad", r"\xad"),
    "a space without width": ("\u200b", r"\u200b"),
    "a joiner": ("\u200d", r"\u200d"),
    "a word joiner": ("\u2060", r"\u2060"),
    "a byte order mark": ("\ufeff", r"\ufeff"),
    "a filler": ("\u3164", r"\u3164"),
    "a tag": ("\U000e0041", r"\U000e0041"),
    "a line separator": ("\u2028", r"\u2028"),
}


@pytest.mark.parametrize("what", UNSEEN)
def test_it_is_shown_as_an_escape(what: str) -> None:
    character, shown = UNSEEN[what]

    assert visible(f"a{character}b") == f"a{shown}b"
    assert visible(character) == shown


@pytest.mark.parametrize("what", UNSEEN)
def test_json_and_toml_have_an_escape_that_programs_read_as_the_character(what: str) -> None:
    character, _ = UNSEEN[what]
    value = {"text": f"a{character}b"}

    for written in (in_json(value), in_toml(f'text = "a{character}b"')):
        assert character not in written
    assert json.loads(in_json(value)) == value
    if character != "\r":
        assert tomllib.loads(in_toml(f'text = "a{character}b"')) == value


@pytest.mark.parametrize("text", ["tab\tand\nline", "Grüße, 世界", "👨\u200d👩\u200d👧", "क्\u200dष", "é"])
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text
    assert json.loads(in_json([text])) == [text]
