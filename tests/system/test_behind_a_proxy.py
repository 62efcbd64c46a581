"""A project behind a load balancer, and with lines of the user's in its server blocks: by the command."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tests.waiting import eventually

from ..pages import DOCS, Page
from .project import PLAIN, Project, configure, nginx_workers, service, version

ECHO = {"run": "python -S echo.py {fd}", "health_path": "/", "keep_warm": "0s"}
LINE = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"


def ask(project: Project, first: bytes = b"", path: str = "/", host: str = "shop.test") -> str:
    with socket.create_connection(("127.0.0.1", project.port), 60) as client:
        client.sendall(first + f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def told(project: Project, first: bytes = b"") -> dict[str, str]:
    found: dict[str, str] = json.loads(ask(project, first).partition("\r\n\r\n")[2])
    return found


@pytest.mark.usefixtures("each_nginx")
def test_behind_the_proxy_protocol_everything_works_and_is_proved(project: Project) -> None:
    configure(project, service("web", **ECHO, host="shop.test"), nginx="proxy_protocol = true\n")

    for number in (1, 2):
        version(project, number)
        assert project.events()[-1].get("unproved", []) == []
        found = told(project, LINE)
        assert (found["version"], found["x-real-ip"], found["x-forwarded-for"]) == (str(number), *["203.0.113.9"] * 2)
    project.zddeploy("rollback", code=None)

    assert "every request is answered with 503" in project.zddeploy("maintenance", "on").stdout
    assert ask(project, LINE).split()[1] == "503"
    project.zddeploy("maintenance", "off")
    assert ask(project, LINE, "/zdd-health", "127.0.0.1").split()[1] == "200"
    assert ask(project) == ""
    assert "0 errors" in project.zddeploy("check", code=None).stdout


def test_a_deploy_that_begins_the_proxy_protocol_is_proved_too(project: Project) -> None:
    configure(project, service("web", **ECHO))
    project.zddeploy()
    project.replace("deploy.toml", "[nginx]\n", "[nginx]\nproxy_protocol = true\n")

    assert project.events()[-1].get("unproved", []) == []

    assert told(project, LINE)["x-real-ip"] == "203.0.113.9"


def test_a_load_that_cannot_speak_the_proxy_protocol_is_refused(project: Project) -> None:
    configure(project, service("web", **ECHO), nginx="proxy_protocol = true\n")
    project.zddeploy()

    said = project.zddeploy("loadtest", "--yes", code=2)

    assert "PROXY protocol" in said.stderr


def test_what_the_guide_writes_is_served(project: Project) -> None:
    page = Page(DOCS / "guides/behind-a-proxy.md")
    (lines,) = [block.text for block in page.blocks if block.where == "server.nginx"]
    configurations = [block.text for block in page.blocks if block.language == "toml"]
    project.write("server.nginx", lines)
    for number, text in enumerate(configurations, 1):
        configure(project, service("web", **ECHO))
        written = text.partition("[service.web]")[0].replace('listen = "80"', f'listen = "127.0.0.1:{project.port}"')
        project.write("deploy.toml", f"{project.section()}{written}{service('web', **ECHO)}")
        version(project, number)

        assert project.events()[-1].get("unproved", []) == []

        first = LINE if "proxy_protocol" in text else b""
        assert told(project, first)["version"] == str(number)
    assert ask(project, path="/robots.txt").endswith("User-agent: *\n")
    assert (ask(project, path="/private/").split()[1], told(project)["x-country"]) == ("403", "de")


@pytest.fixture
def shop(project: Project) -> Project:
    configure(project, service("web", **PLAIN, health_path="/"), nginx='server_include = "more.nginx"\n')
    project.write("more.nginx", "location = /robots.txt { return 200 one; }\n")
    project.zddeploy()
    return project


def test_changed_lines_of_the_users_are_noticed_by_the_next_deploy(shop: Project) -> None:
    assert ask(shop, path="/robots.txt").endswith("one")
    workers = nginx_workers(shop)
    shop.zddeploy()
    assert nginx_workers(shop) == workers
    shop.write("more.nginx", "location = /robots.txt { return 200 two; }\n")

    events = shop.events()

    assert "reloaded" in [event["text"] for event in events if event["event"] == "proxy"]
    assert ask(shop, path="/robots.txt").endswith("two")
    shop.zddeploy("rollback")
    eventually(lambda: ask(shop, path="/robots.txt").endswith("one"))


def test_lines_that_nginx_refuses_fail_the_deploy_and_the_old_ones_serve(shop: Project) -> None:
    shop.write("more.nginx", "\nproxy_set_header X-A b;\nlokation = /robots.txt { return 200 two; }\n")

    said = shop.zddeploy(code=None)

    assert said.returncode in (1, 2)
    assert 'unknown directive "lokation"' in said.stdout + said.stderr
    assert f"that is line 3 of {shop.folder}/more.nginx" in said.stdout + said.stderr
    assert ask(shop, path="/robots.txt").endswith("one")


def test_a_location_that_zdd_has_is_named_with_what_to_do(shop: Project) -> None:
    shop.write("more.nginx", "location = /x { return 204; }\nlocation / { return 204; }\n")

    said = shop.zddeploy(code=None)

    assert said.returncode in (1, 2)
    assert 'duplicate location "/"' in said.stderr
    assert "/more.nginx; zdd's own text has that location already: a service's path, or what zdd answers" in said.stderr
    assert ask(shop, path="/robots.txt").endswith("one")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("location /a { return 204;", "line 1: a block or a directive does not end"),
        ("gzip on;\nlisten 81;", "line 2: listen is set by a key"),
        ("include other;", "line 1: include would read a file whose changes nobody sees"),
        ("location /a {\n    auth_basic_user_file users;\n}", "line 2: auth_basic_user_file names users, which"),
        ("limit_req zone=one;", "line 1: limit_req needs limit_req_zone outside of server blocks"),
    ],
)
def test_lines_that_cannot_stand_there_are_refused_beforehand(shop: Project, lines: str, words: str) -> None:
    shop.write("more.nginx", lines)

    assert words in shop.zddeploy(code=2).stderr
    assert words in shop.zddeploy("check", code=None).stdout
    assert shop.status()["deploy"] == 1


def test_the_file_may_be_missing_when_what_was_deployed_is_started_again(shop: Project) -> None:
    """What it had is in the record of the deploy: a reboot must not depend on a file that somebody has moved."""
    os.unlink(shop.folder / "more.nginx")

    assert "cannot read server_include" in shop.zddeploy(code=2).stderr
    shop.zddeploy("down")
    shop.zddeploy("up")

    assert ask(shop, path="/robots.txt").endswith("one")


def test_check_says_what_surprises_in_the_lines(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/"), nginx='server_include = "more.nginx"\n')
    location = "location /x {\n    proxy_set_header X-A b;\n    add_header X-C d;\n    proxy_pass http://web;\n}\n"
    project.write("more.nginx", location)
    project.zddeploy()

    said = project.zddeploy("check", code=None).stdout

    file = f"{project.folder}/more.nginx"
    assert f"{file}:2: proxy_set_header in a location replaces all headers that zdd sets" in said
    assert f"{file}:4: location /x: proxy_pass to web: add_header there hides which version" in said
