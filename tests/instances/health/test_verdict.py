"""What an answer means, and what is said about one that will not do."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.conf.services import RunService
from zdd.instances.health import verdict
from zdd.instances.health.request import Answer


def web(**keys: Any) -> RunService:
    return RunService(name="web", run="app", **{"health_path": "/health"} | keys)


@pytest.mark.parametrize(
    ("keys", "host"),
    [
        ({}, "localhost"),
        ({"host": ["shop.example", "www.shop.example"]}, "shop.example"),
        ({"host": ["*.shop.example", "shop.example"]}, "shop.example"),
        ({"host": ["*.shop.example"]}, "localhost"),
        ({"host": ["shop.example"], "health_host": "internal"}, "internal"),
    ],
)
def test_it_is_asked_by_a_name_that_it_has(keys: dict[str, Any], host: str) -> None:
    assert verdict.host_of(web(**keys)) == host


@pytest.mark.parametrize(
    ("location", "hint"),
    [
        ("https://shop.example/health", "asked as 'localhost' and wants another name: health_host = \"shop.example\""),
        ("/health/", "health_path must name a path that answers by itself, perhaps /health/"),
        ("http://localhost/login?next=/health", "answers by itself, perhaps /login"),
        ("https://localhost/health", 'let the app trust that header, or set health_status = "200-299,302"'),
    ],
)
def test_a_redirect_tells_what_is_to_be_changed(location: str, hint: str) -> None:
    judged = verdict.judge(Answer(302, location, ""), web())

    assert not judged.healthy
    assert judged.words == f"GET /health was answered 302 (Location: {location}), wanted 200-299"
    assert hint in (judged.hint or "")


def test_who_has_set_the_name_already_is_not_told_to_set_it() -> None:
    assert (verdict.judge(Answer(400, "", ""), web()).hint or "").endswith("set health_host")
    named = verdict.judge(Answer(400, "", ""), web(health_host="shop.example"))
    assert (named.hint or "").endswith("health_host must be one of them (now shop.example)")


@pytest.mark.parametrize("status", [400, 403, 404, 421])
def test_what_may_come_from_an_unknown_host_tells_what_was_asked_and_names_health_host(status: int) -> None:
    hint = verdict.judge(Answer(status, "", "nothing here"), web()).hint or ""

    assert hint.startswith("asked was http://localhost/health (Host: localhost)")
    assert "set health_host" in hint


@pytest.mark.parametrize(
    "excerpt",
    [
        "Blocked hosts: localhost To allow requests to these hosts",  # Rails, 403
        "DisallowedHost at /health Invalid HTTP_HOST header: 'localhost'",  # Django
        "Invalid host header",  # Starlette
        'Blocked request. This host ("localhost") is not allowed.',  # Vite
        "Bad Request - Invalid Hostname",  # Windows
    ],
)
def test_an_app_that_says_that_it_is_the_host_is_believed(excerpt: str) -> None:
    hint = verdict.judge(Answer(403, "", excerpt), web()).hint or ""

    assert (
        hint
        == "asked was http://localhost/health (Host: localhost), and the app serves other hosts only: set health_host"
    )


@pytest.mark.parametrize("status", [401, 405, 410, 429])
def test_every_other_refusal_tells_what_was_asked(status: int) -> None:
    hint = verdict.judge(Answer(status, "", ""), web()).hint or ""

    assert hint.startswith("asked was http://localhost/health (Host: localhost)")


def test_without_a_path_everything_but_an_error_of_the_server_is_well() -> None:
    assert verdict.judge(Answer(404, "", ""), web(health_path=None)).healthy
    assert not verdict.judge(Answer(500, "", ""), web(health_path=None)).healthy
