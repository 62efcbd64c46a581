"""nginx's language: words, blocks, and includes in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.nginx import conf_file
from zdd.nginx.config import parse
from zdd.nginx.config.parse import Directive


def test_words_and_blocks_are_read() -> None:
    text = "user www-data;\nhttp {\n  # listen 1;\n  log_format x \"a; {b}\" 'c';\n  server { listen 80; }\n}\n"

    assert parse.parse(text) == [
        Directive("user", ["www-data"], None),
        Directive(
            "http",
            [],
            [
                Directive("log_format", ["x", "a; {b}", "c"], None),
                Directive("server", [], [Directive("listen", ["80"], None)]),
            ],
        ),
    ]


def test_a_variable_in_braces_is_part_of_its_word() -> None:
    assert parse.parse("return 301 https://${host}/x;") == [Directive("return", ["301", "https://${host}/x"], None)]


@pytest.mark.parametrize(
    "text", ["", "}", "} }", "{", "a {", "a", '"', "a { b; } }", "\\", "a ${b", "map $x $y { {} }"]
)
def test_whatever_it_is_nothing_is_raised(text: str) -> None:
    assert isinstance(parse.parse(text), list)


def test_included_files_stand_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a.conf").write_text("server { listen 1; }")
    (tmp_path / "sites/b.conf").write_text("include proxy.conf;")
    (tmp_path / "proxy.conf").write_text("gzip on;")
    patterns: list[str] = []

    def read(pattern: str) -> Iterator[str]:
        patterns.append(pattern)
        return conf_file.included(pattern)

    found = parse.expand("http { include sites/*.conf; include missing; }", str(tmp_path), read)

    assert [one.name for one in found[0].block or ()] == ["server", "gzip"]
    assert patterns == [f"{tmp_path}/{name}" for name in ("sites/*.conf", "proxy.conf", "missing")]


def test_a_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "loop.conf").write_text("gzip on; include loop.conf;")

    assert 1 < len(parse.expand("include loop.conf;", str(tmp_path), conf_file.included)) < 20


def test_what_counts_is_what_the_innermost_block_says() -> None:
    found = parse.parse("gzip a; http { gzip b; x {} server { gzip c; gzip d; y {} } }")

    inherited = {place.directive.name: [one.args[0] for one in place.inherited("gzip")] for place in parse.walk(found)}

    assert (inherited["x"], inherited["y"]) == (["b"], ["c", "d"])


def test_the_first_directive_of_a_name_is_found_and_placeholders_are_in_nobodys_way() -> None:
    text = "# user a;\npid {nginx_pid_filename};\nhttp { error_log '/my logs/x' warn; upstream u { {web.servers} } }"

    assert parse.first(text, "error_log", "") == "/my logs/x"
    assert parse.first(text, "user", "nobody") == "nobody"
    assert parse.first(text, "pid", "none") == "none"


def test_comments_are_left_out_and_what_only_looks_like_one_stays() -> None:
    assert parse.without_comments("a b#c; # d\n'# e';") == "a b#c; \n'# e';"
