"""Host names, paths and statuses: what can match is taken; what can match nothing is refused, with what is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from zdd.conf.read import load
from zdd.conf.services import RunService
from zdd.errors import UsageError

from .test_refusals import refusal

HOSTS = "host names such as shop.example.org"
HOST = "a host name such as shop.example.org"
PATH = 'a path that starts with "/"'
STATUSES = "HTTP statuses such as 200-299 or 200,301-302"
LISTEN = "a port or address such as 8080, 127.0.0.1:8080 or [::1]:8080"

LONG = "a name may have 253 characters, and each part between its dots 63"
STAR = "nginx takes a * for the whole first or the whole last part: *.shop.test, www.shop.*"
NOBODY = "no request asks for that host; without the key all hosts match"
REGEX = "it is a path prefix, not a regular expression"
NOT_FINAL = "after a 1xx status the answer follows"

REFUSED_HOSTS = [
    ("https://shop.test", 'it is a name, not a URL: write "shop.test"'),
    ("http://shop.test:8080/api", 'it is a name, not a URL: write "shop.test"'),
    ("shop.test:443", 'a port goes into listen: write "shop.test"'),
    ("shop.test/", 'a path goes into path: write "shop.test"'),
    ("a.test,b.test", 'each name is an item of its own: write ["a.test", "b.test"]'),
    ("a.test, https://b.test", 'each name is an item of its own: write ["a.test", "b.test"]'),
    ("a.test b.test", 'each name is an item of its own: write ["a.test", "b.test"]'),
    ("$host", "nginx knows no variables there"),
    ("*", NOBODY),
    ("_", NOBODY),
    ("www.*.test", STAR),
    ("*shop.test", STAR),
    ("*.shop.*", STAR),
    ("a..b", 'a name has no empty part between dots: write "a.b"'),
    (f"{'x' * 64}.test", LONG),
    (".".join(["x" * 63] * 4), LONG),
    ("256.0.0.1", "that is no address"),
    ("::1", 'write such an address in brackets: write "[::1]"'),
    ("[::1::]", "that is no address"),
    ("me@shop.test", 'write "shop.test"'),
    ("stra\u00dfe.test", "a name with \u00df can be spelled in two ways, so write the punycode that is registered: "
     'write "xn--strae-oqa.test"'),
    ("a\uff0fb.test", "a\uff0fb cannot be part of a name"),
    ("\u05d01.test", "\u05d01 cannot be part of a name"),
]  # fmt: skip

TAKEN_HOSTS = [
    ("shop.test", "shop.test"),
    ("Shop.TEST", "Shop.TEST"),
    ("shop.test.", "shop.test"),
    ("localhost", "localhost"),
    ("my_shop.test", "my_shop.test"),
    ("-a-.test", "-a-.test"),
    ("x" * 63 + ".test", "x" * 63 + ".test"),
    ("127.0.0.1", "127.0.0.1"),
    ("[::1]", "[::1]"),
    ("*.shop.test", "*.shop.test"),
    (".shop.test", ".shop.test"),
    ("www.shop.*", "www.shop.*"),
    ("~^shop[0-9]+[.]test$", "~^shop[0-9]+[.]test$"),
    ("b\u00fccher.test", "xn--bcher-kva.test"),
    ("B\u00dcCHER\u3002test", "xn--bcher-kva.test"),
    ("*.bu\u0308cher.test", "*.xn--bcher-kva.test"),
    ("\U0001f4a9.test", "xn--ls8h.test"),
]

REFUSED_PATHS = [
    ("api", 'write "/api"'),
    ("https://shop.test/api", 'the host goes into host: write "/api"'),
    ("/api?x=1", 'nginx compares the path alone: write "/api"'),
    ("/api#top", 'nginx compares the path alone: write "/api"'),
    ("/api/*", 'all paths that begin so are routed, without a *: write "/api/"'),
    ("/*", 'all paths that begin so are routed, without a *: write "/"'),
    ("/*/api", "all paths that begin so are routed, without a *"),
    ("/b%C3%BCcher", 'nginx compares the decoded path: write "/b\u00fccher"'),
    ("/a%20b", "nginx compares the decoded path"),
    ("//", 'nginx compares the path without these: write "/"'),
    ("/a//b/", 'nginx compares the path without these: write "/a/b/"'),
    ("/./a", 'nginx compares the path without these: write "/a"'),
    ("/a/../b", 'nginx compares the path without these: write "/b"'),
    ("^/api", REGEX),
    ("~ ^/api", REGEX),
    ("/api/(.*)", REGEX),
    ("/(a|b)", REGEX),
    ("/api$", REGEX),
]

TAKEN_PATHS = ["/", "/api", "/api/", "/b\u00fccher", "/.well-known/", "/a.b", "/Foo_(bar)", "/100%", "/~me", "/a+b:c@d"]

REFUSED_HEALTH_PATHS = [
    ("health", 'write "/health"'),
    ("/health#x", 'browsers do not send what follows #: write "/health"'),
    ("https://shop.test/health?x=1", 'the host goes into health_host: write "/health?x=1"'),
    ("/a b", 'write "/a%20b"'),
    ("/b\u00fccher", 'write "/b%C3%BCcher"'),
]

REFUSED_HEALTH_HOSTS = [
    ("https://shop.test:8443/x", 'it is a name, not a URL: write "shop.test:8443"'),
    ("*.shop.test", 'a request is for one name, not for a pattern: write "www.shop.test"'),
    (".shop.test", 'a request is for one name, not for a pattern: write "shop.test"'),
    ("a.test, b.test", 'it is one name: write "a.test"'),
    ("$host", "nginx knows no variables there"),
]

REFUSED_STATUSES = [
    ("2xx", 'write "200-299"'),
    ("2XX, 3xx", 'write "200-299,300-399"'),
    ("299-200", 'write "200-299"'),
    ("200 301", 'write "200,301"'),
    ([200, 301], 'write "200,301"'),
    ("20", ""),
    ("600", ""),
    ("", ""),
    (100, NOT_FINAL),
    ("1xx", NOT_FINAL),
    ("100-199", NOT_FINAL),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def web(folder: Path, key: str, value: object) -> RunService:
    path = folder / "deploy.toml"
    path.write_text(f'[service.web]\nrun = "app"\n{key} = {json.dumps(value, ensure_ascii=False)}\n')
    found = load(path).services["web"]
    assert isinstance(found, RunService)
    return found


def refused(folder: Path, key: str, value: object, allowed: str, advice: str) -> None:
    text = f'[service.web]\nrun = "app"\n{key} = {json.dumps(value, ensure_ascii=False)}\n'
    shown = f'"{value}"' if isinstance(value, str) else value
    if len(str(value)) > 80:
        shown = f'"{str(value)[:77]}..."'
    words = f"[service.web] {key} = {shown} is not allowed; it must be {allowed}" + (f"; {advice}" if advice else "")

    assert refusal(folder, "deploy.toml", text) == words


@pytest.mark.parametrize(("value", "advice"), REFUSED_HOSTS)
def test_a_host_that_no_request_has_is_refused(folder: Path, value: str, advice: str) -> None:
    refused(folder, "host", value, HOSTS, advice)


@pytest.mark.parametrize(("value", "read"), TAKEN_HOSTS)
def test_a_host_that_nginx_matches_is_taken_in_the_spelling_that_it_matches(
    folder: Path, value: str, read: str
) -> None:
    assert web(folder, "host", value).host == [read]


def test_a_server_name_is_judged_as_a_host_is(folder: Path) -> None:
    services = '\n[service.web]\nrun = "app"\n'
    words = (
        f'[nginx] server_name = "b.test:1" is not allowed; it must be {HOSTS}; a port goes into listen: write "b.test"'
    )

    assert refusal(folder, "deploy.toml", f"[nginx]\nserver_name = ['a.test', 'b.test:1']{services}") == words
    (folder / "deploy.toml").write_text(f"[nginx]\nserver_name = ['a.test.', 'b\u00fccher.test']{services}")
    assert load(folder / "deploy.toml").nginx.server_name == ["a.test", "xn--bcher-kva.test"]


@pytest.mark.parametrize(("value", "advice"), REFUSED_HEALTH_HOSTS)
def test_what_is_no_host_header_is_refused(folder: Path, value: str, advice: str) -> None:
    refused(folder, "health_host", value, HOST, advice)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("shop.test:8443", "shop.test:8443"),
        ("[::1]:80", "[::1]:80"),
        ("_", "_"),
        ("shop.test.", "shop.test"),
        ("b\u00fccher.test:80", "xn--bcher-kva.test:80"),
    ],
)
def test_a_health_host_may_have_a_port(folder: Path, value: str, read: str) -> None:
    assert web(folder, "health_host", value).health_host == read


@pytest.mark.parametrize(("value", "advice"), REFUSED_PATHS)
def test_a_path_that_nginx_never_meets_is_refused(folder: Path, value: str, advice: str) -> None:
    refused(folder, "path", value, PATH, advice)


@pytest.mark.parametrize("value", TAKEN_PATHS)
def test_a_path_that_nginx_meets_is_taken(folder: Path, value: str) -> None:
    assert web(folder, "path", value).path == value


@pytest.mark.parametrize(("value", "advice"), REFUSED_HEALTH_PATHS)
def test_a_health_path_that_no_request_has_is_refused(folder: Path, value: str, advice: str) -> None:
    refused(folder, "health_path", value, PATH, advice)


@pytest.mark.parametrize(("value", "advice"), REFUSED_STATUSES)
def test_statuses_that_no_answer_has_are_refused(folder: Path, value: object, advice: str) -> None:
    refused(folder, "health_status", value, STATUSES, advice)


def test_statuses_among_which_there_is_one_of_an_answer_are_taken(folder: Path) -> None:
    assert str(web(folder, "health_status", "100-399").health_status) == "100-399"


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("'256.0.0.1:80'", f'listen = "256.0.0.1:80" is not allowed; it must be {LISTEN}'),
        ("'[::1::]:80'", f'listen = "[::1::]:80" is not allowed; it must be {LISTEN}; that is no address'),
        ("[80, '0.0.0.0:080']", 'listen = "0.0.0.0:080" repeats 80; leave it out'),
    ],
)
def test_an_address_that_nginx_cannot_listen_on_is_refused(folder: Path, listen: str, words: str) -> None:
    text = f'[nginx]\nlisten = {listen}\n[service.web]\nrun = "app"\n'

    assert refusal(folder, "deploy.toml", text) == f"[nginx] {words}"


def test_two_services_whose_names_mean_the_same_host_are_refused(folder: Path) -> None:
    one = '[service.a]\nrun = "a"\nhost = ".shop.test"\n'
    words = "[service.b] has the same route as service a: {}, path /; give one of them another host or path"

    for name, same in (("SHOP.test.", "shop.test"), ("*.shop.test", "*.shop.test")):
        text = f'{one}[service.b]\nrun = "b"\nhost = "{name}"\n'
        assert refusal(folder, "deploy.toml", text) == words.format(same)


def test_in_an_ini_file_the_advice_is_written_as_there(folder: Path) -> None:
    (folder / "deploy.conf").write_text("[service:web]\nrun = app\nhost = a.test\n  b.test\n")
    assert getattr(load(folder / "deploy.conf").services["web"], "host", None) == ["a.test", "b.test"]

    lines = "each name is an item of its own: write each in a line of its own: a.test, b.test"
    for setting, allowed, advice in (
        ("host = a.test,b.test", HOSTS, lines),
        ("host = https://a.test", HOSTS, "it is a name, not a URL: write a.test"),
        ("path = /api?x", PATH, "nginx compares the path alone: write /api"),
        ("health_status = 2xx", STATUSES, "write 200-299"),
    ):
        words = f"[service:web] {setting} is not allowed; it must be {allowed}; {advice}"
        assert refusal(folder, "deploy.conf", f"[service:web]\nrun = app\n{setting}\n") == words


def test_names_in_ascii_load_nothing_that_others_need(folder: Path) -> None:
    (folder / "deploy.toml").write_text(
        '[service.web]\nrun = "app"\nhost = ["shop.test", "*.shop.test"]\npath = "/a"\n'
    )
    code = "import sys, pathlib; from zdd.conf.read import load; load(pathlib.Path(sys.argv[1])); print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", code, folder / "deploy.toml"], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "zdd.conf.hosts" in loaded
    assert not {"zdd.conf.mistakes", "zdd.conf.idn", "encodings.idna", "stringprep"} & set(loaded)


def test_every_word_of_advice_can_be_written(folder: Path) -> None:
    """What a refusal proposes is taken when somebody writes it."""
    proposals = [("host", case) for case in REFUSED_HOSTS]
    proposals += [("path", case) for case in REFUSED_PATHS]
    proposals += [("health_path", case) for case in REFUSED_HEALTH_PATHS]
    proposals += [("health_host", case) for case in REFUSED_HEALTH_HOSTS]
    proposals += [("health_status", (str(value), advice)) for value, advice in REFUSED_STATUSES]
    written = [(key, advice.rpartition("write ")[2]) for key, (_, advice) in proposals if 'write "' in advice]

    assert len(written) > 20
    for key, value in written:
        try:
            web(folder, key, json.loads(value))
        except UsageError as error:
            pytest.fail(f"{key} = {value}: {error}")
