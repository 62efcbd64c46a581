from __future__ import annotations

from typing import Any

import pytest

from zdd.load import Kind, Spec


def test_a_spec_survives_its_way_through_json() -> None:
    kinds = Kind("POST", "/x", 5, {"X-A": "b"}, 2), Kind()
    spec = Spec("unix:/run/x", kinds, rate=5.5, seconds=None, record="X-Release", websockets=2)

    assert Spec.from_json(spec.to_json()) == spec
    assert Spec.from_json('{"target": "a.example:80"}') == Spec("a.example:80")


@pytest.mark.parametrize(
    "options",
    [
        {"target": "a.example"},
        {"target": "unix:" + "x" * 108},
        {"rate": 0},
        {"rate": -1},
        {"connections": 0},
        {"timeout": 0},
        {"kinds": ()},
        {"websockets": -1},
        {"kinds": (Kind(),) * 201},
    ],
)
def test_a_spec_of_which_no_load_can_be_made_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a load needs|at most|target"):
        Spec(**{"target": "127.0.0.1:80"} | options)


@pytest.mark.parametrize(
    "options", [{"path": "/a b"}, {"headers": {"X": "a\r\nB: c"}}, {"weight": 0}, {"body": -1}, {"path": ""}]
)
def test_a_kind_that_would_break_the_framing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="GET"):
        Kind(**options)


def test_a_request_says_how_long_its_body_is() -> None:
    assert Kind("POST", "/x", 3).request("h").endswith(b"\r\nContent-Length: 3\r\n\r\nxxx")
    assert Kind("POST", "/x").request("h").endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert b"Content-Length" not in Kind().request("h")


def test_ipv4_ipv6_and_unix_targets_are_told_apart() -> None:
    assert Spec("127.0.0.1:80").address()[1] == ("127.0.0.1", 80)
    assert Spec("[::1]:80").address()[1][:2] == ("::1", 80)
    assert Spec("unix:/run/x").address()[1] == "/run/x"
