"""Every spelling of a host and a path that a configuration may have is one that nginx serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zdd.conf import hosts
from zdd.conf.read import load
from zdd.conf.services import RunService
from zdd.nginx.config.setup import Route

from .app import ask
from .house import House

# What a configuration says, and what a visitor may ask for.
HOSTS = [
    ("Shop.TEST", "shop.test"),
    ("dot.test.", "dot.test"),
    ("dotted.test", "dotted.test.:8080"),
    ("localhost", "localhost:8080"),
    ("my_shop.test", "my_shop.test"),
    ("-a-.test", "-a-.test"),
    (f"{'x' * 63}.test", f"{'x' * 63}.test"),
    (".".join(["y" * 63] * 3 + ["z" * 61]), ".".join(["y" * 63] * 3 + ["z" * 61])),
    ("127.0.0.9", "127.0.0.9"),
    ("[::1]", "[::1]:8080"),
    ("*.stars.test", "a.b.stars.test"),
    ("*.test2", "a.test2"),
    (".both.test", "both.test"),
    (".twice.test", "www.twice.test"),
    ("www.any.*", "www.any.example"),
    ("~^regex[0-9]+[.]test$", "regex12.test"),
    ("~^(?<name>.+)[.]named[.]test$", "a.named.test"),
    ("b\u00fccher.test", "xn--bcher-kva.test"),
    ("\u0431\u0443\u043a\u0438.test", "xn--90aof9a.test"),
    ("\U0001f4a9.test", "xn--ls8h.test"),
]
PATHS = [
    ("/api", "/api"),
    ("/api/v1/", "/api/v1/x"),
    ("/b\u00fccher", "/b%C3%BCcher/1"),
    ("/.well-known/", "/.well-known/x"),
    ("/a.b", "/a.b"),
    ("/Foo_(bar)", "/Foo_%28bar%29"),
    ("/100%", "/100%25"),
    ("/~me", "/~me"),
    ("/a+b:c@d", "/a+b:c@d/"),
    ("/$&'=,!".replace("'", ""), "/$&=,!"),
    ("/\u20ac", "/%E2%82%AC"),
]


def service(folder: str, **keys: object) -> RunService:
    lines = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
    path = Path(folder, "deploy.toml")
    path.write_text(f'[zdd]\nproject = "shop"\n[service.web]\nrun = "app"\n{lines}')
    found = load(path).services["web"]
    assert isinstance(found, RunService)
    return found


def serving(house: House, key: str) -> None:
    """Serve a service for every spelling, and another one for what is asked for by nobody else."""
    cases = HOSTS if key == "host" else PATHS
    routes = []
    for number, (spelling, _) in enumerate(cases):
        found = service(house.folder, **{key: spelling})
        routes.append(Route(f"s{number}", found.host, found.path))
    upstreams = {route.service: [house.app(route.service).target] for route in routes}
    house.serve(routes=[*routes, Route("other")], upstreams=upstreams | {"other": [house.app("other").target]})


def test_every_spelling_of_a_host_is_served(house: House) -> None:
    serving(house, "host")

    served = {said: ask(house.port, headers={"Host": asked}).body.decode() for said, asked in HOSTS}

    assert served == {said: f"s{number}" for number, (said, _) in enumerate(HOSTS)}
    assert ask(house.port, headers={"Host": "nobody.example"}).body == b"other"


def test_every_spelling_of_a_path_is_served(house: House) -> None:
    serving(house, "path")

    served = {said: ask(house.port, asked).body.decode() for said, asked in PATHS}

    assert served == {said: f"s{number}" for number, (said, _) in enumerate(PATHS)}


@pytest.mark.parametrize("name", [said for said, _ in HOSTS if said[0] != "~"])
def test_of_every_name_but_a_regular_expression_it_is_known_what_a_visitor_asks_for(house: House, name: str) -> None:
    routed = service(house.folder, host=name).host
    house.serve(house.app("a"), routes=[Route("web", routed)])
    asked = hosts.asked(routed)

    assert asked is not None
    assert ask(house.port, headers={"Host": asked}).body == b"a"


def test_a_name_that_begins_with_a_dot_takes_nothing_from_a_longer_path(house: House) -> None:
    routes = [Route("all", [".shop.test"]), Route("api", ["shop.test"], "/api")]
    house.serve(routes=routes, upstreams={name: [house.app(name).target] for name in ("all", "api")})

    asked = [("shop.test", "/api"), ("shop.test", "/"), ("www.shop.test", "/api")]
    bodies = [ask(house.port, path, headers={"Host": host}).body.decode() for host, path in asked]

    assert bodies == ["api", "all", "all"]
