"""An env_file: what systemd and dotenv read alike is read so, and all else is refused with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pages import DOCS, Page
from zdd.conf import env_file
from zdd.errors import UsageError

PAGE = Page(DOCS / "reference/env-file.md")
PATH = Path("/srv/shop.env")
CODE = re.compile(r"`` ?(.+?) ?``|`([^`]+)`")
ROWS = [line.split(" | ") for line in PAGE.text.splitlines() if line.startswith(("| `", "| ``"))]
PIECES = ["A", "B_1", "=", "'", '"', "\\", "#", ";", "$", "{", "}", "n", " ", "\t", "\n", "\r\n", "`", "é", "export "]
EACH = settings(max_examples=2000, deadline=None, derandomize=True, database=None)


def code(cell: str) -> str | None:
    """The text of a cell that is nothing but code."""
    whole = CODE.fullmatch(cell.strip("| "))
    return whole and (whole[1] or whole[2])


def refusal(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        env_file.parse(text, PATH)
    return caught.value


def test_what_the_page_shows_is_read_as_it_says() -> None:
    text, variables = (block.text for block in PAGE.section("What a file may say"))

    assert env_file.parse(text, PATH) == json.loads(variables)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("| "))
def test_what_the_page_refuses_is_refused_and_what_it_says_to_write_is_read(row: list[str]) -> None:
    line, cure = code(row[0]), code(row[-1])
    assert line

    assert refusal(f"FIRST=1\n\n{line}\n").message.startswith(f"env_file {PATH}, line 3: ")
    if cure:
        assert len(env_file.parse(f"{cure}\n", PATH)) == 1


def test_the_page_has_every_kind_of_refusal() -> None:
    """The sentences of all lines that the page refuses are all that there are of values."""
    said = {refusal(f"{code(row[0])}\n").message.rpartition("A: ")[2] for row in ROWS}
    source = Path(env_file.__file__).read_text()

    assert len(said) >= source.count("raise _Refused(") - 1, "a backslash at the end of a line is in no table"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A='1\n2\n3'\nB=c # d\n", 4),
        ("A='1\n2' # c\n", 2),
        ('A="1\n2\n\\t"\n', 3),
        ('A="1\n\\\n2"\n', 2),
        ("A='1\n2\\\\'\n", 2),
        ('A="1\n2\n$B"\n', 3),
        ("\n\nA='1\n2\n", 3),
        ("# c\n;c\nA=1\r\nB\r\n", 4),
        ("A=1\nB=2\0\n", 2),
        ("A=1\rB=2\n", 1),
    ],
)
def test_the_line_is_the_one_that_is_wrong(text: str, line: int) -> None:
    assert f"line {line}: " in refusal(text).message


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("| "))
def test_no_value_is_shown(row: list[str]) -> None:
    error = refusal(f"{code(row[0])}\n".replace("b", "hush").replace("c", "hush").replace("word", "hush"))

    assert "hush" not in f"{error.message} {error.hint}"
    assert error.hint


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xef\xbb\xbfA=1\n", "1"),
        (b"A='1\r\n2'\r\n", "1\n2"),
        (b"A=1", "1"),
        (b"  A=a\xe2\x80\xa8b\x0bc\xc2\x85\n", "a\u2028b\x0bc\x85"),  # what only Python takes for line ends
        (b"A=1\n#A=2\nA=3\n;A=4\n", "3"),
    ],
    ids=["bom", "crlf", "no last line feed", "odd separators", "the later counts"],
)
def test_files_of_other_editors_are_read(tmp_path: Path, data: bytes, value: str) -> None:
    (tmp_path / "web.env").write_bytes(data)

    assert env_file.read(tmp_path / "web.env") == {"A": value}


@pytest.mark.parametrize(("data", "line"), [(b"A=1\nB=\xff\n", 2), ("A=1\n".encode("utf-16"), 1)])
def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path, data: bytes, line: int) -> None:
    (tmp_path / "web.env").write_bytes(data)

    with pytest.raises(UsageError, match=f"line {line}: it is not UTF-8"):
        env_file.read(tmp_path / "web.env")


@EACH
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_is_read_is_read_as_systemd_does(text: str) -> None:
    """But for what systemd does not know: `export` it passes over, and of CRLF it keeps the CR inside quotes."""
    text = text.replace("export ", "").replace("\r", "")
    for begin in ("", "A=", 'A="', "A='"):
        try:
            variables = env_file.parse(begin + text, PATH)
        except UsageError:
            continue
        assert variables == as_systemd(begin + text)


def as_systemd(text: str) -> dict[str, str]:  # noqa: C901  (one case for each state)
    """The states of systemd's parser, src/basic/env-file.c."""
    variables: dict[str, str] = {}
    state, name, value, plain_end = "before", "", "", 0

    def end() -> None:
        variables[name.strip()] = value[:plain_end] + value[plain_end:].rstrip(" \t")

    for char in text:
        match state:
            case "before":
                state = "comment" if char in "#;" else "before" if char in " \t\n" else "name"
                name, value, plain_end = char, "", 0
            case "comment":
                state = "before" if char == "\n" else state
            case "name":
                state = "before" if char == "\n" else "value?" if char == "=" else state
                name += char if state == "name" else ""
            case "value?" | "value" if char == "\n":
                end()
                state = "before"
            case "value?" if char in "'\"":
                state = char
            case "value?" | "value" if char == "\\":
                state = "escape"
            case "value?" if char in " \t":
                pass
            case "value?" | "value" | "escape":
                state, value = "value", value + char.replace("\n", "" if state == "escape" else "\n")
            case "'" | '"' if char == state:
                state, plain_end = "value?", len(value)
            case '"' if char == "\\":
                state = '"\\'
            case '"\\':
                state, value = '"', value + (char if char in '"\\`$' else "" if char == "\n" else f"\\{char}")
            case _:
                value += char
    if state not in ("before", "comment", "name"):
        end()
    return variables
