from pathlib import Path

import pytest

from zdd.conf import ini
from zdd.conf.document import Broken, Document


def parse(text: str) -> Document:
    return ini.parse(text, Path("/srv/shop/deploy.conf"))


def refusal(text: str) -> str:
    return "\n".join(str(error) for error in parse(text).refused)


# Read by Python 2.7.18's SafeConfigParser; what it said is the test's expectation.
OLD = """\
[DEFAULT]
root = /srv ; c
[service:a b]
Start: %(root)s/go -c x.py a=b ; comment
stop = kill ;nope ; yes
empty = ""
semi = ;x
rem this is a comment = 3
multi = one ; c
   two ; d
   # three

   four
pid_file : %(__name__)s.pid
bad = 100%
pct = 100%%
first = a;b ; c
NEST = %(FIRST)s and %(pct)s
[service:a b] trailing
stop = later
"""


def test_a_classic_section_is_read_as_the_old_parser_read_it() -> None:
    document = parse(OLD)

    expected = {
        "root": "/srv",
        "start": "/srv/go -c x.py a=b",
        "stop": "later",
        "empty": "",
        "semi": ";x",
        "multi": "one\ntwo ; d\n# three\nfour",
        "pid_file": "service:a b.pid",
        "bad": Broken("a % must be followed by % or (key)s"),
        "pct": "100%",
        "first": "a;b ; c",
        "nest": "a;b ; c and 100%",
    }
    assert document.sections == {"service:a b": expected}
    assert document.classic == {"service:a b"}
    assert document.quiet == {"service:a b": {"root", "first", "pct", "__name__"}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("%(nothing)s", "%(nothing)s names no key of the section or of [DEFAULT]"),
        ("%(pid_file", "a % must be followed by % or (key)s"),
        ("50%", "a % must be followed by % or (key)s"),
        ("%(start)s", "its %(...)s go deeper than 10 levels"),
    ],
)
def test_a_classic_value_that_cannot_be_interpolated_is_kept_as_broken(value: str, reason: str) -> None:
    document = parse(f"[service:a]\nstart = {value}\n")

    assert document.sections["service:a"]["start"] == Broken(reason)


def test_every_section_but_the_new_ones_is_classic_when_every_service_is() -> None:
    document = parse(
        "[zdd]\nproject = x\n[nginx]\n[fabric]\n[service:a]\nstart = x\n[release]\n[service:b]\nSTART = x\n"
    )

    assert document.classic == {"nginx", "fabric", "service:a", "service:b"}


def test_a_service_is_classic_when_its_start_stands_in_default() -> None:
    document = parse("[DEFAULT]\nstart = x\n[service:a]\n[service:b]\nrun = y\n")

    assert document.classic == {"service:a"}
    assert document.sections["service:b"] == {"run": "y"}


def test_a_strict_section_is_literal() -> None:
    text = "[service:web]\nrun: app 100% ; %(x)s # ''\nenv =\n  A=1\n  # not this\n\n  B=a b ; c\n# nor this\n  C=\n"
    document = parse(text)

    expected = {"run": "app 100% ; %(x)s # ''", "env": "A=1\nB=a b ; c\nC="}
    assert document.sections == {"service:web": expected}
    assert document.classic == frozenset()


def test_windows_line_ends_change_nothing() -> None:
    old = OLD.replace("semi = ;x\n", "")  # which the old parser read otherwise with them, as we do
    assert parse(old.replace("\n", "\r\n")).sections == parse(old).sections
    assert parse("[zdd]\r\nproject = x\r\n").sections == {"zdd": {"project": "x"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run = x\n", "line 1: not INI: 'run = x' comes before any [section]"),
        ("[zdd]\n\nproject\n", "line 3: not INI: 'project' is not key = value"),
        ("[zdd]\n  project = x\n", "line 2: not INI: 'project = x' is indented, but there is no value to continue"),
        ("[zdd]\na = 1\n[zdd]\n", "line 3: [zdd] is there twice, first in line 1"),
        ("[zdd]\na = 1\nb = 1\na = 2\n", "line 4: [zdd] a is set twice, first in line 2"),
        ("[DEFAULT]\na = 1\n", "line 1: [DEFAULT] is only for classic services, those with start"),
    ],
)
def test_what_is_not_ini_is_refused_with_file_line_and_reason(text: str, words: str) -> None:
    assert refusal(text) == f"/srv/shop/deploy.conf: {words}"


def test_a_classic_file_may_repeat_sections_and_keys_and_the_last_counts() -> None:
    document = parse("[nginx]\ntemplate = a\n[service:x]\nstart = 1\n[nginx]\ntemplate = b\n")

    assert document.sections["nginx"] == {"template": "b"}
