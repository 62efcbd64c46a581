"""Whose an nginx text is, without a server that serves it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.nginx import whose


@pytest.fixture
def runtime(tmp_path: Path) -> str:
    folder = tmp_path / "run dir"
    folder.mkdir()
    (folder / "current").symlink_to("tables/1")
    return str(folder)


@pytest.mark.parametrize(
    "text",
    [
        '{0}\nupstream other {{ server "unix:/nowhere/current/web/00"; }}',
        'http {{ upstream web {{ server "unix:{1}/current/web/00" max_fails=1; }} }}',
        'location / {{ proxy_pass "http://unix:{1}/current/web/00"; }}',
        'pid "{1}/nginx.pid";',
    ],
)
def test_a_text_is_the_projects_whose_line_or_slot_or_pid_file_it_has(runtime: str, text: str) -> None:
    owner = whose.of_text(text.format(whose.first_line("shop", runtime), runtime))

    assert owner
    assert (owner.runtime, owner.uid) == (runtime, os.geteuid())


@pytest.mark.parametrize(
    "text", ["", "# server unix:{0}/current/web/00;", "pid logs/nginx.pid;", 'pid "/x\0/nginx.pid";', "server unix:/x;"]
)
def test_a_comment_and_what_leads_to_no_project_say_nothing(runtime: str, text: str) -> None:
    assert whose.of_text(text.format(runtime)) is None
