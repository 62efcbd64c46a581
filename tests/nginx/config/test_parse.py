"""nginx's language: words, blocks, and includes in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.nginx import conf_file
from zdd.nginx.config import include, parse
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
    "text", ["", "}", "} }", "{", "a {", "a", '"', "a { b; } }", "\\", "a ${b", "map $x $y { {} }", "a {" * 9999]
)
def test_whatever_it_is_nothing_is_raised(text: str) -> None:
    assert isinstance(list(parse.walk(parse.parse(text))), list)


def test_comments_begin_where_words_do_and_words_go_over_lines() -> None:
    assert parse.parse("a b#c; # d;\n#") == [Directive("a", ["b#c"], None)]
    assert parse.parse("'# e\n\\'f' \"\" a\\ b\\;c;") == [Directive("# e\n'f", ["", "a\\ b\\;c"], None)]


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("a b}c ${x}{", ["b}c", "${x}"]),
        ("a ${x{y};", ["${x"]),
        ('a "x")', ["x", ")"]),
        (r'a "\t\"\\\d" \.;', ['\t"\\\\d', "\\."]),
        ("a \x0bb\u00a0c;", ["\x0bb\u00a0c"]),
        ("a $;", ["$"]),
        ("\r\na\r\n\tb;\r\n", ["b"]),
    ],
)
def test_words_end_where_nginx_ends_them(text: str, args: list[str]) -> None:
    assert parse.parse(text + ";")[0].args == args


def test_the_lines_of_a_map_are_no_directives() -> None:
    text = "map $a $b { default x; listen 1; include y; } geo $c { user z; } types { text/html html; } listen 2;"

    assert [place.directive.name for place in parse.walk(parse.parse(text))] == ["map", "geo", "types", "listen"]


def test_a_block_of_lua_is_not_nginx_s_language() -> None:
    lua = """
    server {
        content_by_lua_block { -- it's } a comment
            local s = "}" .. '{' .. [[ } ]] .. [=[ ]] } ]=]  --[[ }
            } ]] ngx.say({web = {1}}["#"]) }
        set_by_lua_block $x { return "a" } listen 80;
    }"""

    for template in (False, True):
        (server,) = parse.parse(lua, template=template)
        assert server.block == [
            Directive("content_by_lua_block", [], []),
            Directive("set_by_lua_block", ["$x"], []),
            Directive("listen", ["80"], None),
        ]


def test_every_directive_knows_its_file_its_line_and_its_place() -> None:
    text = "# x\nuser a;\nhttp {\n  log_format x 'a\n  b';\r\n  server { listen\n 80; } }"
    spots = {place.directive.name: place.directive.spot for place in parse.walk(parse.parse(text, "/n.conf"))}

    assert {name: spot.line for name, spot in spots.items()} == {
        "user": 2,
        "http": 3,
        "log_format": 4,
        "server": 6,
        "listen": 6,
    }
    assert text[spots["listen"].start : spots["listen"].end] == "listen\n 80;"
    assert str(spots["listen"]) == "/n.conf:6"


def test_included_files_stand_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a.conf").write_text("\nserver { listen 1; }")
    (tmp_path / "sites/b.conf").write_text("include proxy.conf;")
    (tmp_path / "proxy.conf").write_text("gzip on;")
    text = "http { include sites/*.conf; include missing; include no/*; types { include mime; } }"

    found = include.expand(text, f"{tmp_path}/nginx.conf", conf_file.included)

    http = found.directives[0].block or []
    assert [(one.name, str(one.spot)) for one in http] == [
        ("server", f"{tmp_path}/sites/a.conf:2"),
        ("gzip", f"{tmp_path}/proxy.conf:1"),
        ("types", f"{tmp_path}/nginx.conf:1"),
    ]
    assert found.included == [f"{tmp_path}/{name}" for name in ("sites/*.conf", "proxy.conf", "missing", "no/*")]
    assert found.unread == [f"{tmp_path}/missing"]


def test_only_a_directive_s_name_says_that_its_block_is_lua() -> None:
    """The name is the first word, though it be empty."""
    assert parse.parse('"" x_by_lua_block { listen 80; }') == [
        Directive("", ["x_by_lua_block"], [Directive("listen", ["80"], None)])
    ]


def test_a_file_that_cannot_be_read_is_told_and_what_is_no_utf_8_is_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"server_name caf\xe9.test;")
    os.mkfifo(tmp_path / "fifo")

    found = include.expand("include *;include /dev/null;", f"{tmp_path}/nginx.conf", conf_file.included)

    assert [one.name for one in found.directives] == ["server_name"]
    assert found.unread == [f"{tmp_path}/fifo", f"{tmp_path}/folder"]


def test_files_that_include_themselves_come_to_an_end_and_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop.conf").write_text("gzip on; include loop.conf;")
    (tmp_path / "a").write_text("include b; include b; x;")
    (tmp_path / "b").write_text("include c; include c; y;")
    (tmp_path / "c").write_text("include a; z;")

    found = include.expand("include loop.conf;", f"{tmp_path}/nginx.conf", conf_file.included)
    around = include.expand("include a;", f"{tmp_path}/nginx.conf", conf_file.included)

    assert (len(found.directives), found.unread) == (1, [f"{tmp_path}/loop.conf"])
    assert [one.name for one in around.directives] == [*"zzyzzyx"]
    assert set(around.unread) == {f"{tmp_path}/a"}


def test_however_much_is_included_it_comes_to_an_end() -> None:
    found = include.expand("include 0;", "/x", lambda path: [include.Source(f"{path}0", "a; include 0; include 1;")])

    assert len(found.directives) < 10_000
    assert found.unread


def test_what_counts_is_what_the_innermost_block_says() -> None:
    found = parse.parse("gzip a; http { gzip b; x {} server { gzip c; gzip d; y {} } }")

    inherited = {place.directive.name: [one.args[0] for one in place.inherited("gzip")] for place in parse.walk(found)}

    assert (inherited["x"], inherited["y"]) == (["b"], ["c", "d"])


def test_a_directive_is_asked_for_at_its_level_and_placeholders_are_in_nobodys_way() -> None:
    text = "# user a;\npid {nginx_pid_filename};\nhttp { error_log /no; user no; upstream u { {web.servers} } }"
    tree = parse.parse(text + "events { worker_connections 9; }\nerror_log '/my logs/x' warn;", template=True)

    assert parse.value(tree, "error_log", default="") == "/my logs/x"
    assert parse.value(tree, "user", default="nobody") == "nobody"
    assert parse.value(tree, "pid", default="none") == "{nginx_pid_filename}"
    assert parse.value(tree, "events", "worker_connections", default="512") == "9"
    assert parse.value(tree, "worker_connections", default="512") == "512"
    assert parse.first("http { error_log /no; } error_log /yes;", "error_log", "") == "/yes"
