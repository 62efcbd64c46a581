from __future__ import annotations

import pytest

from zdd.nginx.config import template
from zdd.nginx.config.template import Mentions


def test_placeholders_are_replaced_and_other_braces_stay() -> None:
    text = "pid {nginx_pid_filename};\nserver 127.0.0.1:{web};\nlog_format j '{\"a\":{b}}'; # {2,3} {}"

    rendered = template.render(text, {"web": "8001", "nginx_pid_filename": "/run/x.pid"})

    assert rendered == "pid /run/x.pid;\nserver 127.0.0.1:8001;\nlog_format j '{\"a\":{b}}'; # {2,3} {}"


def test_a_value_is_never_expanded_again() -> None:
    assert template.render("{a} {b}", {"a": "{b}", "b": "{a}"}) == "{b} {a}"


def test_the_further_lines_of_a_value_are_indented_like_its_first() -> None:
    assert template.render("u {\n    {web.servers}\n}\n", {"web.servers": "a;\nb;"}) == "u {\n    a;\n    b;\n}\n"
    assert template.render("u { {web.servers} }", {"web.servers": "a;\nb;"}) == "u { a;\nb; }"


def test_missing_and_unmentioned_services_are_told() -> None:
    text = "# {ghost}\n{web.servers} {shop} {nginx_pid_filename} \\d{4} {api}"

    assert template.mentions(text, ["web", "api", "mail"]) == Mentions(missing=("shop",), unmentioned=("mail",))


def test_a_placeholder_in_a_comment_is_left_alone() -> None:
    text = "# {web.servers}\nupstream web { # {web}\n  {web.servers}# {web}\n  server a:{web}#{web};\n}"

    rendered = template.render(text, {"web": "1", "web.servers": "a;\nb;"})

    assert rendered == "# {web.servers}\nupstream web { # {web}\n  a;\n  b;# {web}\n  server a:1#1;\n}"


def test_a_variable_of_nginx_is_no_placeholder_and_quotes_hide_none() -> None:
    text = "return 200 ${web}/{web} \"${web} {web} #{web}\" '{web}';"

    assert template.render(text, {"web": "1"}) == "return 200 ${web}/1 \"${web} 1 #1\" '1';"


def test_for_classic_services_every_placeholder_is_replaced_as_ever() -> None:
    assert template.render("# {web} ${web}", {"web": "1"}, everywhere=True) == "# 1 $1"


def test_a_block_of_lua_keeps_its_braces() -> None:
    text = "content_by_lua_block {x({web},{a=1})} # {web}\nlisten {web};"

    assert template.render(text, {"web": "1"}) == "content_by_lua_block {x(1,{a=1})} # {web}\nlisten 1;"


@pytest.mark.parametrize("method", ["ip_hash", "hash $request_uri consistent", "random"])
def test_only_the_upstream_with_a_method_that_binds_gets_no_backups(method: str) -> None:
    plain = "upstream {0} {{ {{a.servers}} }} # ip_hash\n"
    text = plain.format("a") + f"upstream b {{ {method}; {{b.servers}} }}" + plain.format("c")

    rendered = template.render(text, {"a.servers": "A;", "b.servers": "B;"}, {"a.servers": "a;", "b.servers": "b;"})

    assert rendered == text.replace("{a.servers}", "A;").replace("{b.servers}", "b;")
