"""A site that an older zdd serves by plain HTTP is given HTTPS and loses it again; a port that stays loses nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.machine import free_port
from tests.secure import Got, get, plain
from tests.system.project import (
    LIGHT,
    PLAIN,
    Project,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

from .programs import NEW, OLD, Program

AUTHORITY = Authority()
HOST = "shop.test"
BY_HTTPS = "X-Forwarded-Proto: https\r\n"


class Site:
    """A project, deployed by either program; `https` is the port that it speaks HTTPS on if it is told to."""

    def __init__(self, project: Project, programs: Mapping[str, Program]) -> None:
        self.project, self.programs = project, programs
        self.https = free_port()
        self.keep_warm = "0s"
        self.opened: list[socket.socket] = []
        folder = project.folder / "tls"
        folder.mkdir(mode=0o700)
        AUTHORITY.issue(folder, HOST)

    def say(self, *nginx: str, run: str = PLAIN["run"], host: str | None = HOST) -> None:
        """Write the configuration, with these lines in [nginx]."""
        more = {"host": host} if host else {}
        web = service("web", run=run, health_path="/", keep_warm=self.keep_warm, **more)
        configure(self.project, web, nginx="".join(f"{line}\n" for line in nginx))

    def secure(self, *more: str, **how: Any) -> None:
        """Write it with HTTPS."""
        files = ('certificate = "tls/site.crt"', 'certificate_key = "tls/site.key"')
        self.say(f'https_listen = "127.0.0.1:{self.https}"', *files, *more, **how)

    def zddeploy(self, program: str, *args: str, code: int = 0) -> str:
        said = self.programs[program].run(self.project, *args)
        assert said.code == code, said
        return said.out + said.err

    def plain(self, headers: str = "") -> Got:
        return plain(self.project.port, HOST, headers=headers)

    def told(self, headers: str = "") -> dict[str, str]:
        """What the app is told of who asks by plain HTTP."""
        found: dict[str, str] = json.loads(self.plain(headers).body)
        return found


@pytest.fixture
def site(programs: Mapping[str, Program]) -> Iterator[Site]:
    project = Project()
    made = Site(project, programs)
    yield made
    for each in made.opened:
        each.close()
    made.say()  # what is broken cannot even be taken down
    project.end()


def test_https_comes_and_goes_and_the_plain_port_loses_nothing(site: Site) -> None:
    project = site.project
    site.say()
    site.zddeploy(OLD, "deploy")

    with project.load(host=HOST, **LIGHT) as load:
        version(project, 2)
        site.zddeploy(NEW, "deploy")
        site.secure("redirect_https = false")
        version(project, 3)
        site.zddeploy(NEW, "deploy")
        assert get(site.https, HOST, authority=AUTHORITY.pem).headers["x-release"] == "3"
        assert site.plain().headers["x-release"] == "3"
        site.say()
        version(project, 4)
        site.zddeploy(NEW, "deploy")
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2", "3", "4"]
    assert site.plain().headers["x-release"] == "4"
    with pytest.raises(ConnectionRefusedError):
        get(site.https, HOST)


def test_a_rollback_to_what_the_old_one_has_deployed_needs_no_certificate(site: Site) -> None:
    site.keep_warm = "60s"
    site.say()
    site.zddeploy(OLD, "deploy")
    site.zddeploy(NEW, "deploy")
    site.secure('hsts = "2d"')
    said = site.zddeploy(NEW, "deploy")
    assert "plain requests are redirected to HTTPS from now on" in said
    assert site.plain().status == 301

    said = site.zddeploy(NEW, "rollback")

    assert "browsers that have seen its hsts ask by HTTPS alone, for up to 2 days" in said
    assert site.plain().headers["x-release"] == "1"
    assert "what is deployed has no HTTPS yet" in site.zddeploy(NEW, "certificates", "renew")
    assert "from now on" in site.zddeploy(NEW, "check")


def test_a_site_behind_a_proxy_that_ends_tls_is_told_what_to_write(site: Site) -> None:
    echo = "python -S echo.py {fd}"
    site.say(run=echo)
    site.zddeploy(OLD, "deploy")
    assert site.told(BY_HTTPS)["x-forwarded-proto"] == "https"
    version(site.project, 2)
    site.zddeploy(NEW, "deploy")
    assert site.told(BY_HTTPS)["x-forwarded-proto"] == "https"

    site.secure(run=echo)
    for command in ("check", "deploy"):
        said = site.zddeploy(NEW, command)
        assert "also those of a proxy that ends TLS before this nginx" in said
        assert "set trusted_proxies in [nginx] to its addresses, or redirect_https = false" in said
    assert site.plain(BY_HTTPS).status == 301

    site.secure('trusted_proxies = "private"', run=echo)
    said = site.zddeploy(NEW, "deploy")

    assert "before this nginx" not in said
    assert site.told(BY_HTTPS)["x-forwarded-proto"] == "https"
    assert site.plain().status == 301
    site.say('trusted_proxies = "private"', run=echo)
    site.zddeploy(NEW, "deploy")
    assert site.told(BY_HTTPS)["x-forwarded-proto"] == "https"
    assert site.told()["x-forwarded-proto"] == "http"


def taken(site: Site) -> str:
    site.opened.append(socket.create_server(("127.0.0.1", site.https)))
    site.secure()
    return f"port {site.https} is taken by process"


def same_port(site: Site) -> str:
    site.https = site.project.port
    site.secure()
    return "has the port of listen, too: one port speaks either HTTP or HTTPS"


def no_name(site: Site) -> str:
    site.say('https = "auto"', f'https_listen = "127.0.0.1:{site.https}"', host=None)
    return 'needs host with https = "auto" in [nginx]'


def no_file(site: Site) -> str:
    (site.project.folder / "tls/site.key").unlink()
    site.secure()
    return "cannot read certificate_key"


def another_host(site: Site) -> str:
    AUTHORITY.issue(site.project.folder / "tls", "old.test")
    site.secure()
    return f"is not for {HOST}; it is for old.test"


@pytest.mark.parametrize("wrong", [taken, same_port, no_name, no_file, another_host])
def test_what_cannot_be_had_is_refused_beforehand_and_the_site_goes_on(site: Site, wrong: Any) -> None:
    site.say()
    site.zddeploy(OLD, "deploy")
    text = (site.project.state / "nginx/nginx.conf").read_bytes()
    version(site.project, 2)

    message = wrong(site)

    assert message in site.zddeploy(NEW, "deploy", code=2)
    assert message in site.zddeploy(NEW, "check", code=2)
    assert (site.project.state / "nginx/nginx.conf").read_bytes() == text
    assert site.plain().headers["x-release"] == "1"


def test_a_template_keeps_its_own_https(site: Site, tmp_path: Path) -> None:
    site.say()
    site.zddeploy(OLD, "deploy")
    site.say('include = "upstreams.conf"', 'reload = "true"', 'https = "auto"')
    site.project.replace("deploy.toml", f'listen = "127.0.0.1:{site.project.port}"\n', "")

    said = site.zddeploy(NEW, "deploy", code=2)

    assert "https has no effect with include; set it in that server block" in said
    assert site.plain().headers["x-release"] == "1"
