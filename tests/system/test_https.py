"""HTTPS by zdd's own nginx, from files: deploys under load, new certificates, and what is refused."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority, Issued
from tests.machine import free_port, patiently
from tests.secure import connected, context, get, plain
from tests.waiting import eventually
from zdd.host import process
from zdd.load import Load, Spec

from .project import (
    MIXED,
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

pytestmark = pytest.mark.usefixtures("each_nginx")
AUTHORITY = Authority()
HOSTS = ["shop.test", "www.shop.test"]


class Shop:
    """A project with a certificate of its own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.https = free_port()
        self.issue()

    def issue(self, *hosts: str, **how: Any) -> Issued:
        """Write another certificate at the same place."""
        folder = self.project.folder / "tls"
        folder.mkdir(mode=0o700, exist_ok=True)
        return AUTHORITY.issue(folder, *(hosts or HOSTS), **how)

    def configure(self, *services: str, more: str = "") -> None:
        keys = (
            f'https_listen = "127.0.0.1:{self.https}"\ncertificate = "tls/site.crt"\ncertificate_key = "tls/site.key"'
        )
        configure(self.project, *services, nginx=f"{keys}\n{more}\n")

    def load(self, **more: Any) -> Load:
        options: dict[str, Any] = {"rate": 200, "connections": 16, "record": "X-Release", "timeout": 60} | more
        return Load(Spec(f"127.0.0.1:{self.https}", MIXED, host="shop.test", tls=True, **options))

    def serial(self) -> str:
        """What tells one certificate from another, as nginx shows it."""
        with connected(self.https, "shop.test", context(AUTHORITY.pem)) as connection:
            shown = connection.getpeercert()
        assert shown is not None
        assert ssl.cert_time_to_seconds(str(shown["notAfter"])) > time.time()
        return str(shown["serialNumber"])

    def master(self) -> int:
        return int((self.project.runtime / "nginx.pid").read_text())


@pytest.fixture
def shop(project: Project) -> Shop:
    return Shop(project)


def web(**more: object) -> str:
    return service("web", **(PLAIN | {"host": HOSTS, "health_path": "/", "keep_warm": "0s"} | more))


@pytest.mark.parametrize("way", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_deploys_over_https_lose_nothing_and_close_no_connection(shop: Shop, way: dict[str, str]) -> None:
    shop.configure(web(**way))
    shop.project.zddeploy()
    with shop.load() as load:
        for number in (2, 3):
            version(shop.project, number)
            assert shop.project.events()[-1]["unproved"] == []
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert list(report.answered) == ["1", "2", "3"]


def test_a_service_on_a_port_costs_only_what_reloads_do(shop: Shop) -> None:
    shop.configure(web(**PLAIN_TCP))
    shop.project.zddeploy()
    version(shop.project, 2)
    with shop.load() as load:
        shop.project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]


def test_plain_requests_are_redirected_and_the_gate_asks_by_https(shop: Shop) -> None:
    shop.configure(web(), more='hsts = "30d"\ncanonical_host = "shop.test"')
    result = shop.project.events()[-1]

    assert (result["outcome"], result["unproved"]) == ("done", [])
    found = plain(shop.project.port, "www.shop.test", "/a?b")
    assert (found.status, found.headers["location"]) == (301, f"https://shop.test:{shop.https}/a?b")
    answer = get(shop.https, "shop.test", authority=AUTHORITY.pem)
    assert (answer.status, answer.headers["x-release"]) == (200, "1")
    assert answer.headers["strict-transport-security"] == "max-age=2592000"
    assert "0 errors" in shop.project.zddeploy("check").stdout


def test_a_deploy_is_proved_by_the_canonical_host_wherever_it_stands(shop: Shop) -> None:
    shop.configure(web(), more='canonical_host = "www.shop.test"')

    assert shop.project.events()[-1]["unproved"] == []


def test_maintenance_is_seen_over_https(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()

    shop.project.zddeploy("maintenance", "on")
    assert get(shop.https, "shop.test").status == 503
    shop.project.zddeploy("maintenance", "off")
    assert get(shop.https, "shop.test").status == 200


def test_a_changed_certificate_is_a_reload_and_the_same_one_is_none(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    before, text = shop.serial(), (shop.project.state / "nginx/nginx.conf").read_text()

    version(shop.project, 2)
    assert [one["text"] for one in shop.project.events() if one["event"] == "proxy"] == ["unchanged"]
    assert (shop.project.state / "nginx/nginx.conf").read_text() == text

    shop.issue()
    with shop.load() as load:
        assert [one["text"] for one in shop.project.events() if one["event"] == "proxy"] == ["reloaded"]
        eventually(lambda: shop.serial() != before)
        report = load.stop()

    assert_only_reloads_cost(report)


def test_a_certificate_of_rsa_takes_the_place_of_one_of_ecdsa(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    assert cipher(shop).startswith("ECDHE-ECDSA-")
    shop.issue(rsa=True)

    assert shop.project.events()[-1]["unproved"] == []

    eventually(lambda: cipher(shop).startswith("ECDHE-RSA-"))
    assert get(shop.https, "shop.test", authority=AUTHORITY.pem).headers["x-release"] == "1"
    assert "0 errors" in shop.project.zddeploy("check").stdout


def cipher(shop: Shop) -> str:
    """The cipher that a client of TLS 1.2 gets, whose name has the kind of the certificate's key."""
    client = context(AUTHORITY.pem)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with connected(shop.https, "shop.test", client) as connection:
        found = connection.cipher()
    assert found is not None
    return found[0]


def test_an_app_gets_the_paths_of_challenges_unless_zdd_answers_them(shop: Shop) -> None:
    """An app with an ACME client of its own gets them without `https = "auto"`, and takes none from zdd with it."""
    path = "/.well-known/acme-challenge/token"
    shop.configure(web(), more="redirect_https = false")
    shop.project.zddeploy()
    assert "X-Release: 1\r\n" in shop.project.get(path, "shop.test")
    assert get(shop.https, "shop.test", path).headers["x-release"] == "1"

    authority = f'https = "auto"\nhttps_listen = "127.0.0.1:{shop.https}"\nacme_server = "https://127.0.0.1:1/"\n'
    own = service("own", **(PLAIN | {"host": HOSTS, "path": "/.well-known/", "health_path": "/", "keep_warm": "0s"}))
    configure(shop.project, web(), own, nginx=authority)
    shop.project.zddeploy()
    challenge = shop.project.state / "acme" / path.lstrip("/")
    for found in (plain(shop.project.port, "shop.test", path), get(shop.https, "shop.test", path)):
        assert (found.status, "x-release" in found.headers) == (404, False)
    assert plain(shop.project.port, "shop.test", "/.well-known/other").headers["x-release"] == "1"

    challenge.parent.mkdir(parents=True, exist_ok=True)
    challenge.write_text("ours")
    assert "200 OK" in shop.project.get(path, "shop.test")
    assert shop.project.get(path, "shop.test").endswith("ours")


def test_renew_gives_nginx_files_that_somebody_else_has_renewed(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    before = shop.serial()
    deployed = f"nginx has the certificate that {shop.project.folder}/tls/site.crt holds"
    assert deployed in shop.project.zddeploy("certificates", "renew").stdout

    shop.project.replace("deploy.toml", "/site.crt", "/other.crt")  # not deployed: renew is about what serves
    assert deployed in shop.project.zddeploy("certificates", "renew").stdout

    shop.issue("other.test")
    refused = shop.project.zddeploy("certificates", "renew", code=2)
    assert "shop.test" in refused.stderr
    assert shop.serial() == before

    shop.issue()
    with shop.load() as load:
        assert "the new certificate" in shop.project.zddeploy("certificates", "renew").stdout
        eventually(lambda: shop.serial() != before)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert "has changed" not in shop.project.zddeploy("status").stdout


def test_only_the_project_has_the_key_and_nothing_tells_it(shop: Shop) -> None:
    shop.configure(web(), more="")
    shop.project.zddeploy()
    lines = (shop.project.folder / "tls/site.key").read_text().splitlines()[1:-1]

    having = []
    for folder, _, names in os.walk(shop.project.state):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink() and lines[0] in path.read_text(errors="replace"):
                having.append(path)
    assert [path.name for path in having] == ["key.pem"]
    assert having[0].stat().st_mode & 0o777 == 0o600
    assert (shop.project.state / "certificates").stat().st_mode & 0o777 == 0o700
    assert lines[0] not in shop.project.zddeploy("config").stdout


def swap_key(shop: Shop) -> None:
    issued = shop.issue()
    certificate = issued.certificate.read_text()
    shop.issue()
    issued.certificate.write_text(certificate)


REFUSED: dict[Any, str] = {
    swap_key: "do not belong together: the key is another certificate's",
    lambda shop: shop.issue("shop.test"): "is not for www.shop.test; it is for shop.test",
    lambda shop: shop.issue(days=-1, age=90): "has expired",
    lambda shop: (shop.project.folder / "tls/site.key").unlink(): "cannot read certificate_key",
    lambda shop: (shop.project.folder / "tls/site.crt").write_text(""): "holds no certificate in PEM",
}


@pytest.mark.parametrize("spoil", REFUSED)
def test_a_certificate_that_is_no_good_is_refused_beforehand(shop: Shop, spoil: Any) -> None:
    shop.configure(web(keep_warm="60s"))
    shop.project.zddeploy()
    version(shop.project, 2)
    shop.project.zddeploy()
    serial = shop.serial()
    spoil(shop)

    for command in ((), ("check",)):
        result = shop.project.zddeploy(*command, code=2)
        assert REFUSED[spoil] in result.stdout + result.stderr
    assert [one["deploy"] for one in shop.project.events("history")] == [2, 1]

    # What is no new version must be possible all the same, with the certificate of before.
    assert "nginx keeps the certificate that it has: " in shop.project.zddeploy("rollback").stdout
    assert (shop.serial(), get(shop.https, "shop.test").headers["x-release"]) == (serial, "1")
    shop.project.zddeploy("down")
    shop.project.zddeploy("up")
    assert shop.serial() == serial


def test_on_a_first_deploy_nothing_is_touched(shop: Shop) -> None:
    shop.configure(web())
    swap_key(shop)

    result = shop.project.zddeploy(code=2)

    assert "do not belong together" in result.stderr
    assert not (shop.project.runtime / "current").exists()


def test_status_tells_of_certificates_and_warns_in_time(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    (found,) = shop.project.status()["certificates"]
    assert (found["hosts"], found["names"], found["issuer"]) == (HOSTS, HOSTS, "Test Authority")
    assert (found["days_left"], found["placeholder"], found["problem"]) == (89, False, None)
    assert found["ends"] == pytest.approx(time.time() + 90 * 86400, abs=3600)

    shop.issue(days=13.5)
    assert "site.crt has changed: `zddeploy certificates renew`" in shop.project.zddeploy("status").stdout
    shop.project.zddeploy()
    assert "the certificate of shop.test and www.shop.test expires in 13 days" in shop.project.zddeploy("status").stdout
    assert "expires in 13 days" in shop.project.zddeploy("check").stdout


def test_status_advises_to_renew_what_was_deployed_and_not_what_was_only_written(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    new = shop.project.folder / "new"
    new.mkdir(mode=0o700)
    AUTHORITY.issue(new, *HOSTS)
    for _ in range(2):
        shop.project.replace("deploy.toml", "tls/site.", "new/site.")

    assert "renew" not in shop.project.zddeploy("status").stdout
    assert "renew" not in shop.project.zddeploy("certificates").stdout


def test_one_that_has_expired_is_a_problem_and_stops_no_deploy(shop: Shop) -> None:
    shop.configure(web())

    def deploy(lasts: float) -> None:
        shop.issue(days=lasts / 86400)
        shop.project.zddeploy()

    patiently(deploy, 5, 20, 80)  # seconds in which a deploy begins
    eventually(lambda: shop.project.status()["problems"], 100)

    assert "has expired, on" in shop.project.zddeploy("status", code=1).stdout
    version(shop.project, 2)
    shop.project.zddeploy()
    assert get(shop.https, "shop.test").headers["x-release"] == "2"


def test_a_new_master_takes_over_both_ports(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()
    before = shop.serial()
    found = process.Process.find(shop.master())
    assert found is not None
    with shop.load() as load:
        found.signal(signal.SIGKILL)
        eventually(lambda: not found.alive())
        shop.issue()
        shop.project.zddeploy()
        eventually(lambda: shop.serial() != before)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert plain(shop.project.port, "shop.test").status == 301


def test_a_taken_port_is_refused_beforehand(shop: Shop) -> None:
    shop.configure(web())
    with socket.create_server(("127.0.0.1", shop.https)):
        result = shop.project.zddeploy(code=2)
        assert f"port {shop.https} is taken by process {os.getpid()}" in result.stderr
        assert "end it, or change https_listen" in result.stderr
        checked = shop.project.zddeploy("check", code=2).stdout
        assert f"port {shop.https} is taken" in checked
        assert "end it, or change https_listen" in checked


def test_until_a_certificate_is_issued_a_placeholder_stands_there(shop: Shop) -> None:
    configure(
        shop.project,
        web(),
        nginx=f'https = "auto"\nhttps_listen = "127.0.0.1:{shop.https}"\nhsts = "30d"\n'
        'acme_server = "https://127.0.0.1:1/"\n',
    )
    shop.project.zddeploy()

    assert plain(shop.project.port, "shop.test").headers["x-release"] == "1"
    answer = get(shop.https, "www.shop.test")
    assert (answer.headers["x-release"], answer.headers.get("strict-transport-security")) == ("1", None)
    assert "shop.test: no certificate has been issued yet" in shop.project.zddeploy("status", code=None).stdout
    told = shop.project.status()["certificates"]
    assert [(one["hosts"], one["placeholder"]) for one in told] == [([host], True) for host in HOSTS]
    assert all(one["failed"]["cause"].startswith(one["hosts"][0]) for one in told)
    version(shop.project, 2)
    assert [one["text"] for one in shop.project.events() if one["event"] == "proxy"] == ["unchanged"]


def test_a_load_test_speaks_https(shop: Shop) -> None:
    shop.configure(web())
    shop.project.zddeploy()

    shown = shop.project.zddeploy("loadtest", "--yes", "--seconds", "0.5", "--rate", "50").stdout.splitlines()

    assert f"to 127.0.0.1:{shop.https}" in shown[0]
    assert shown[-1].endswith("requests, none failed; the server closed 0 connections")
