"""What keepers use in place of json, signal and socket does the same, without them."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zdd
from zdd.host import light_json, light_socket, process

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.lists(
    st.sampled_from([*'{}[]:,"\\ \n\t-.', "1", "01", "e5", "nul", "null", "true", "\\u00e9", "é", "\ufeff", "\x01"])
)


def read(loads: object, text: str | bytes) -> object:
    """Return the value, or that there is none."""
    assert callable(loads)
    try:
        return json.dumps(loads(text))
    except ValueError:
        return ValueError


@given(VALUES)
@settings(deadline=None)
def test_a_value_is_written_as_json_writes_it_and_read_again(value: object) -> None:
    written = light_json.dumps(value)

    assert written == json.dumps(value)
    assert light_json.loads(written) == light_json.loads(f" {written}\n".encode()) == value


@given(PIECES.map("".join) | st.text())
@settings(deadline=None)
def test_any_text_is_read_or_refused_as_json_does(text: str) -> None:
    assert read(light_json.loads, text) == read(json.loads, text)


def test_numbers_that_json_does_not_know_are_read_too() -> None:
    assert math.isnan(light_json.loads("NaN"))
    assert light_json.loads("[Infinity, -Infinity]") == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_no_json_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        light_json.dumps(value)


def test_a_circle_is_not_written_and_what_is_too_deep_is_neither_read_nor_written() -> None:
    circle: list[object] = []
    circle.append(circle)

    with pytest.raises(ValueError, match="Circular"):
        light_json.dumps(circle)
    with pytest.raises(RecursionError):
        light_json.loads("[" * 1_000_000)


def test_what_is_damaged_is_a_value_error_where_nothing_can_be_imported() -> None:
    code = f"""
import sys
sys.path.append({str(Path(zdd.__file__).parent.parent)!r})
from zdd.host import light_json
sys.meta_path.clear()
for text in ("", "{{", "[1,]", '"a', "1 2", "nul", b"\\xff", b"\\xef\\xbb\\xbf1"):
    try:
        light_json.loads(text)
    except ValueError:
        continue
    sys.exit(repr(text))
sys.exit("json" in sys.modules or "re" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_connection_that_is_accepted_blocks_and_ends_with_its_block(tmp_path: Path) -> None:
    with light_socket.socket(light_socket.AF_UNIX, light_socket.SOCK_STREAM) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()
        listener.setblocking(False)
        with light_socket.socket(light_socket.AF_UNIX) as client:
            client.connect(f"{tmp_path}/s")
            accepted, _ = listener.accept()
            with accepted:
                client.sendall(b"hello")
                assert (accepted.gettimeout(), accepted.recv(9)) == (None, b"hello")
            assert accepted.fileno() == -1
            assert client.recv(9) == b""


@pytest.mark.parametrize("number", list(signal.Signals))
def test_each_signal_has_its_name(number: signal.Signals) -> None:
    assert process.ended(-number) == number.name


def test_a_signal_without_a_name_is_a_number() -> None:
    assert process.ended(-(signal.SIGRTMIN + 5)) == f"signal {signal.SIGRTMIN + 5}"
