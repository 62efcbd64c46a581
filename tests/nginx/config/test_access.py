"""The log's format, as nginx takes it and writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.nginx.config import access, include, render
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.parse import parse

from ..app import ask
from ..house import House

MARK = Mark("0123456789ab", "a" * 32, "b" * 32)


def logged(house: House, number: int = 1) -> list[dict[str, Any]]:
    """The lines, once there are so many."""
    path = Path(house.folder, "access.log")
    eventually(lambda: path.read_text().count("\n") >= number)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_where_a_request_went_and_when_and_holds_no_secret(house: House) -> None:
    app = house.app("a")
    house.serve(app, access_log=f"{house.folder}/access.log")

    headers = {"Host": "Shop.test", "X-Request-ID": "mine", "Cookie": "hidden", "X-Request-Start": "t=1"}
    ask(house.port, "/a%2fb/c?hidden=1", headers=headers)

    (line,) = logged(house)
    times = [line.pop(name) for name in ("msec", "at", "seconds", "times")]
    assert all(re.fullmatch(r"[0-9]+\.[0-9]{3}", moment) for moment in times)
    assert int(line.pop("connection")) > 0
    assert line == {
        "id": "mine",
        "method": "GET",
        "host": "shop.test",
        "path": "/a%2fb/c",
        "status": "200",
        "bytes": "1",
        "slots": app.target,
        "statuses": "200",
    }
    assert "hidden" not in json.dumps(line)
    assert app.requests[0].headers["x-request-start"] == f"t={times[1]}"
    assert float(times[1]) <= float(times[0])


@pytest.mark.parametrize("name", ["", "0123456789ab"])
def test_what_zdd_itself_asks_stands_in_no_log(house: House, name: str) -> None:
    """Of visitors only those are left out who know the secret, and they are zdd."""
    log = f"{house.folder}/access.log"
    if name:
        form = AccessFormat(name, mark=MARK)
        text = house.simple("x", form.log(log)).replace("access_log off;", f"{form.lines()} access_log off;")
        house.nginx.apply(text)
    else:
        house.serve(house.app("a"), access_log=log, mark=MARK)

    ask(house.port, "/zdd", headers={"X-Zdd-Gate": MARK.secret})
    ask(house.port, "/stranger", headers={"X-Zdd-Gate": MARK.word})
    ask(house.port, "/visitor")

    assert {line["path"] for line in logged(house, 2)} == {"/stranger", "/visitor"}


def test_the_moment_is_that_of_the_connect_also_for_the_second_try(house: House) -> None:
    dead, app = house.app("dead"), house.app("a")
    dead.close()
    house.serve(dead, app, access_log=f"{house.folder}/access.log")
    for _ in range(4):
        assert ask(house.port).body == b"a"

    tried = [line["slots"] for line in logged(house, 4)]

    assert f"{dead.target}, {app.target}" in tried
    assert {len(line["times"].split(", ")) == len(line["slots"].split(", ")) for line in logged(house, 4)} == {True}


def test_odd_requests_are_logged_as_json_too(house: House) -> None:
    house.serve(house.app("a"), access_log=f"{house.folder}/access.log")

    ask(house.port, '/"\\')
    ask(house.port, "/", "ODD")
    ask(house.port, "/%00%0a")

    # one is no request, so it has no path; each of nginx's workers writes its own lines
    assert sorted(line["path"] for line in logged(house, 3)) == ["", "/", '/"\\']


def test_without_a_log_there_is_neither_format_nor_header(house: House) -> None:
    text = render.render(house.setup(house.app("a")), house.binary.version)

    assert "access_log off;" in text
    assert "log_format" not in text
    assert "zdd_at" not in text
    assert access.REQUEST_START not in text


def test_the_names_in_somebody_elses_nginx_are_the_projects_own(house: House) -> None:
    """Two projects and the user have formats of their own in one nginx."""
    forms = [AccessFormat(name) for name in ("0123456789ab", "ba9876543210")]
    lines = "\n".join([*(form.lines() for form in forms), "log_format zdd 'mine';"])
    servers = "\n".join(
        f"location /{form.name} {{ {form.log(f'{house.folder}/{form.name}.log')} return 204; }}" for form in forms
    )
    text = house.simple("x", servers).replace("access_log off;", f"{lines} access_log off;")

    house.nginx.apply(text)

    for form in forms:
        assert ask(house.port, f"/{form.name}").status == 204
        path = Path(house.folder, f"{form.name}.log")
        eventually(path.read_text)
        assert json.loads(path.read_text())["path"] == f"/{form.name}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("access_log /var/log/shop.log zdd_ab;", 0),
        ("access_log /var/log/shop.log zdd_ab buffer=4k;", 0),
        ("access_log /var/log/shop.log;", 1),
        ("access_log /var/log/other.log zdd_ab;", 1),
        ("", 1),
    ],
)
def test_a_log_that_no_server_block_writes_is_told(line: str, told: int) -> None:
    text = parse(f"http {{ server {{ listen 80; {line} }} }}")

    found = list(access.unlogged(text, "/var/log/shop.log", AccessFormat("ab")))

    assert len(found) == told
    assert list(access.unlogged(text, True, AccessFormat("ab"))) == []


def test_the_lines_may_be_joined(house: House) -> None:
    """As in a template that `check` reads."""
    lines = AccessFormat("ab").lines()
    text = house.simple("x").replace("access_log off;", f"{' '.join(lines.splitlines())} access_log off;")

    house.nginx.apply(text)

    assert include.expand(lines, "/x", lambda _: ()).unread == []
    assert [directive.name for directive in parse(lines)] == ["map", "map", "log_format"]
