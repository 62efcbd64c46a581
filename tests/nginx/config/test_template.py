from __future__ import annotations

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


def test_methods_that_bind_clients_take_no_backups() -> None:
    assert template.takes_backups("upstream web {\n    least_conn;\n    {web.servers}\n}")
    assert not template.takes_backups("upstream web {\n    ip_hash;\n    {web.servers}\n}")
    assert not template.takes_backups("upstream web { ip_hash; {web.servers} }")
    assert not template.takes_backups("upstream web {\n    hash $request_uri consistent;\n    {web.servers}\n}")
