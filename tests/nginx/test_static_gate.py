"""What nginx must answer for a static service before a deploy is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.host.clock import Clock
from zdd.instances.health.request import Answer
from zdd.layout import Layout
from zdd.nginx import client, static_gate
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import Mark
from zdd.nginx.gate import Door, Gate
from zdd.nginx.unreachable import Unreachable
from zdd.routing.manifest import Manifest, StaticFolder

MARK = Mark("a", "secret", "word")
MARKED = [("x-zdd-slot", "word digest 7  ")]
VISIT = Visit("site", ("127.0.0.1", 80), "localhost", "/")
TARGET = Manifest(2, "deploy", {}, static={"site": StaticFolder("two", "dist")})


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    layout = Layout(str(tmp_path / "S"), str(tmp_path / "R"))
    page = Path(layout.releases) / "two/dist/index.html"
    page.parent.mkdir(parents=True)
    (tmp_path / "R").mkdir()
    page.write_text("<p>2")
    door = Door(MARK, str(tmp_path / "log"), is_ours=True, timeouts={})
    return Gate(layout, door, Clock())  # type: ignore[arg-type]


def prove(monkeypatch: pytest.MonkeyPatch, gate: Gate, status: int, body: bytes, fields: list[tuple[str, str]]) -> str:
    monkeypatch.setattr(client, "fetch", lambda *_, **__: (Answer(status, "", "", fields), body))
    return " ".join(event.reason for event in static_gate.prove(gate, TARGET, [VISIT], "digest"))


def test_the_page_of_the_release_from_the_text_in_force_is_a_proof(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    assert prove(monkeypatch, gate, 200, b"<p>2", MARKED) == ""


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(200, b"<p>1", "something else than index.html"), (200, b"", "something else"), (404, b"", "is answered 404")],
)
def test_another_answer_fails_the_deploy(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, status: int, body: bytes, said: str
) -> None:
    with pytest.raises(Unreachable, match=said):
        prove(monkeypatch, gate, status, body, MARKED)


def test_what_nginx_has_logged_of_others_words_is_not_shown(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    def lose(*_: object, **__: object) -> tuple[Answer, bytes]:
        peer = "zdd: 2026-11-30T07:42:57+00:00 X-Forwarded-Proto from 127.0.0.1 at 127.0.0.1: \n"
        Path(gate.door.log).write_text(f"why\n{peer}")
        return Answer(404, "", "", MARKED), b""

    monkeypatch.setattr(client, "fetch", lose)

    with pytest.raises(Unreachable) as caught:
        static_gate.prove(gate, TARGET, [VISIT], "digest")
    assert caught.value.output == ["why"]


@pytest.mark.parametrize("fields", [[], [("x-zdd-slot", "word other 7  ")]])
def test_without_the_mark_of_the_text_it_is_not_proved(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, fields: list[tuple[str, str]]
) -> None:
    assert prove(monkeypatch, gate, 200, b"<p>2", fields) == "no-mark"


def test_a_redirect_and_the_maintenance_page_prove_nothing(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    assert prove(monkeypatch, gate, 301, b"", MARKED) == "redirect"
    Path(gate.paths.maintenance).touch()
    assert prove(monkeypatch, gate, 503, b"", MARKED) == "maintenance"


@pytest.mark.parametrize(
    ("status", "logged"),
    [(401, ""), (403, '[error] 7#7: *1 access forbidden by rule, client: 127.0.0.1, request: "GET / HTTP/1.1"\n')],
)
def test_what_the_users_lines_refuse_is_not_proved(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, status: int, logged: str
) -> None:
    def refuse(*_: object, **__: object) -> tuple[Answer, bytes]:
        Path(gate.door.log).write_text(logged)
        return Answer(status, "", "", MARKED), b""

    monkeypatch.setattr(client, "fetch", refuse)

    (event,) = static_gate.prove(gate, TARGET, [VISIT], "digest")
    assert (event.reason, f"({status} for GET /" in event.text) == ("nginx", True)


@pytest.mark.parametrize(
    ("status", "mark"),
    [(403, "word digest 7  "), (401, "word digest 7 unix:/web 401"), (401, "word other 7  ")],
    ids=["no access", "an app", "another text"],
)
def test_what_else_is_refused_fails_the_deploy(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, status: int, mark: str
) -> None:
    with pytest.raises(Unreachable, match=f"is answered {status}"):
        prove(monkeypatch, gate, status, b"", [("x-zdd-slot", mark)])
