"""
The shapes of public configurations: what is read in them, and that nginx reads them, too.

In the names of files `refused` says that nginx refuses it, `foreign` that it has modules nginx may lack.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.machine import free_port
from zdd.nginx import conf_file
from zdd.nginx.config import include, lint, parse, target, visit
from zdd.nginx.config.include import Expanded
from zdd.nginx.config.lint import Served
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.parse import Directive
from zdd.nginx.config.visit import Unknown, Wish

from . import written
from .test_visit import certificate

HERE = Path(__file__).parent / "shapes"
SHAPES = sorted([*HERE.glob("*.conf"), HERE / "debian/nginx.conf"])
HERE_80 = ("127.0.0.1", 80)
REACHED: dict[str, Visit | Unknown] = {
    "crlf.conf": Visit("web", HERE_80, "a.test", "/"),
    "debian/nginx.conf": Visit("web", HERE_80, "shop.example.org", "/"),
    "letsencrypt.conf": Visit("web", ("::1", 443), "shop.example.org", "/", tls=True),
    "logs.conf": Unknown.NOWHERE,
    "lua.foreign.conf": Visit("web", HERE_80, "localhost", "/"),
    "mail.foreign.conf": Visit("web", HERE_80, "localhost", "/"),
    "one-line.conf": Visit("web", HERE_80, "localhost", "/"),
    "php-fpm.conf": Unknown.NOWHERE,
    "stream.foreign.conf": Visit("web", ("127.0.0.1", 8443), "shop.example.org", "/", proxy_protocol=True),
    "tables.conf": Visit("web", HERE_80, "localhost", "/"),
    "websockets.conf": Visit("web", ("127.0.0.1", 8080), "chat.example.org", "/socket/"),
}


def name_of(shape: Path) -> str:
    return str(shape.relative_to(HERE))


def expanded(path: Path) -> Expanded:
    with path.open(encoding="utf-8", newline="") as file:
        return include.expand(file.read(), str(path), conf_file.included)


def readable(path: Path) -> bool:
    return "refused" not in path.name


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if readable(shape)], ids=name_of)
def test_the_request_to_the_service_is_found_in_it(shape: Path) -> None:
    assert visit.find(expanded(shape).directives, {"web": Wish()}, named=True)["web"] == REACHED[name_of(shape)]


@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_what_is_read_and_written_again_says_the_same(shape: Path) -> None:
    tree = parse.parse(shape.read_text())

    assert parse.parse(written.text(tree)) == tree


def test_debian_s_files_are_all_read_and_its_lines_are_known() -> None:
    found = expanded(HERE / "debian/nginx.conf")

    tree = found.directives
    places = {place.directive.name: place for place in parse.walk(tree)}
    assert found.unread == []
    assert [pattern.removeprefix(f"{HERE}/debian/") for pattern in found.included] == [
        "modules-enabled/*.conf",
        "mime.types",
        "conf.d/*.conf",
        "sites-enabled/*",
        "snippets/proxy.conf",
    ]
    assert str(places["proxy_pass"].directive.spot) == f"{HERE}/debian/sites-enabled/shop:7"
    (finding,) = [one for one in lint.judge(tree, (1, 22, 1), SERVED, []) if "worker_connections" in one.what]
    assert finding.what == f"{HERE}/debian/nginx.conf:8: worker_connections is 768"
    findings = list(lint.advise(target.passes(tree, SERVED, named=True), (1, 22, 1), SERVED))
    assert [one.what for one in findings] == [
        f"{HERE}/debian/sites-enabled/shop:7: location /: proxy_pass to web: WebSockets cannot pass"
    ]


SERVED = {"web": Served(1, by_link=True)}


def changed(tree: list[Directive], text: str, ports: dict[str, str]) -> str:
    """The text with other ports and paths, at the places where the directives say that they stand."""
    temporary = " ".join(f"{what}_temp_path temp;" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    edits = [(len(text), len(text), "\n")]
    for place in parse.walk(tree):
        directive = place.directive
        start, end = directive.spot.start, directive.spot.end
        if directive.name in ("user", "pid", "error_log"):
            edits.append((start, end, ""))
        if directive.name == "http" and directive.block:
            first = directive.block[0].spot.start
            edits.append((first, first, f"{temporary} "))
        if directive.name == "listen" and place.above[-1].name == "server":
            host, separator, port = directive.args[0].rpartition(":")
            port = ports.setdefault(port, str(free_port()))
            words = " ".join([f"{host}{separator}{port}", *directive.args[1:]])
            edits.append((start, end, f"listen {words};"))
    for start, end, instead in sorted(edits, reverse=True):
        text = text[:start] + instead + text[end:]
    return text


def refusal(program: str, folder: Path, shape: Path, rewritten: bool) -> str:
    """Why nginx refuses the shape, "" if it takes it."""
    shutil.copytree(shape.parent, folder / "etc")
    certificate(folder / "etc")
    ports: dict[str, str] = {}
    main = folder / "etc" / shape.name
    for path in [main, *main.parent.glob("*/*")] if shape.name == "nginx.conf" else [main]:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        text = changed(parse.parse(text), text, ports)
        path.write_text(written.text(parse.parse(text)) if rewritten else text, newline="")
    command = [program, "-t", "-p", str(folder), "-c", str(main), "-g", "pid pid; error_log stderr;"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return result.stderr if result.returncode else ""


AS_IT_IS_AND_WRITTEN_AGAIN = pytest.mark.parametrize("rewritten", [False, True])


@AS_IT_IS_AND_WRITTEN_AGAIN
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "foreign" not in shape.name], ids=name_of)
def test_nginx_reads_it_too(program: str, tmp_path: Path, shape: Path, rewritten: bool) -> None:
    assert bool(why := refusal(program, tmp_path, shape, rewritten)) is not readable(shape), why


@AS_IT_IS_AND_WRITTEN_AGAIN
@pytest.mark.parametrize("program", ["packaged"], indirect=True)
def test_nginx_reads_streams_too(program: str, tmp_path: Path, rewritten: bool) -> None:
    assert refusal(program, tmp_path, HERE / "stream.foreign.conf", rewritten) == ""
