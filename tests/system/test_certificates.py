"""Certificates by ACME, with the real certbot and an authority on this machine: issued, renewed, and not to be had."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.load import Load, Spec
from zdd.nginx.certificates.store import CertificateStore, Pair
from zdd.nginx.process.binary import packaged

from .authority import DOORS, HERE, NAMES, Authority, NamedProject, answering, obstacle
from .project import MIXED, PLAIN, assert_nothing_lost, assert_only_reloads_cost, configure, leftovers, service

pytestmark = pytest.mark.skipif(obstacle() is not None, reason=obstacle() or "")

SHOP, WWW, BLOG = NAMES


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Iterator[NamedProject]:
    made = NamedProject(getattr(request, "param", None))
    yield made
    made.end()


@pytest.fixture
def authority(project: NamedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    made = Authority(tmp_path, project.port)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.bundle))
    made.start()
    yield made
    made.end()


def lay_out(project: NamedProject, server: str, *hosts: str, more: str = "", **keys: object) -> None:
    nginx = f'https = "auto"\nhttps_listen = "{HERE}:{project.https}"\nacme_server = "{server}"\n{more}\n'
    configure(project, service("web", **PLAIN, host=list(hosts or (SHOP,)), keep_warm="0s", **keys), nginx=nginx)


def presented(project: NamedProject, host: str = SHOP, root: str | None = None) -> dict[str, Any]:
    """The certificate that visitors of a host get: what ssl says of it if `root` leads to it, else only its bytes."""
    context = ssl.create_default_context(cadata=root) if root else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((HERE, project.https), 30) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        return {**(connection.getpeercert() or {}), "bytes": connection.getpeercert(binary_form=True)}


def listed(project: NamedProject) -> dict[str, dict[str, Any]]:
    """What `certificates --json` tells, by host."""
    told = json.loads(project.zddeploy("certificates", "--json").stdout)["certificates"]
    return {host: each for each in told for host in each["hosts"]}


def unproved(project: NamedProject, *args: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = project.events(*args)[-1]["unproved"]
    return found


def put(project: NamedProject, host: str, days: float) -> None:
    """Have a certificate that has so many days left, and that certbot knows nothing of; nginx gets it next time."""
    install(project, host, days)
    shutil.rmtree(project.state / "certbot", ignore_errors=True)


def install(project: NamedProject, host: str, days: float) -> None:
    """Put a certificate where nginx's next text names it."""
    issued = DOORS.issue(project.folder, host, days=days, age=90 - days)
    pair = Pair(issued.certificate.read_text(), issued.key.read_text())
    CertificateStore(f"{project.state}/certificates").install(host, pair)


def test_the_first_deploy_ends_with_a_certificate_and_the_next_one_asks_nobody(
    project: NamedProject, authority: Authority
) -> None:
    lay_out(project, authority.server)

    told = project.zddeploy().stdout

    assert told.count("accepts the terms of service of the certificate authority at https://127.0.0.1") == 1
    assert re.search(rf"{SHOP}: a new certificate by Pebble Intermediate CA .*, (89|90) days left", told)
    assert "done in" in told
    assert ("DNS", SHOP) in presented(project, root=authority.root())["subjectAltName"]
    assert f"Location: https://{SHOP}:{project.https}/" in project.get("/", SHOP)
    assert project.status()["state"] == "serving"
    state = listed(project)[SHOP]
    assert (state["names"], state["placeholder"], state["failed"]) == ([SHOP], False, None)

    assert unproved(project) == []
    assert "terms of service" not in project.zddeploy().stdout
    assert "no certificate is due" in project.zddeploy("certificates", "renew").stdout
    assert authority.issued() == 1


def test_the_keys_are_for_the_deployer_alone_and_in_no_log(project: NamedProject, authority: Authority) -> None:
    lay_out(project, authority.server)
    project.zddeploy("-v")

    keys = [path for path in project.state.rglob("*") if path.is_file() and "PRIVATE KEY" in _text(path)]
    assert keys
    assert {oct(path.stat().st_mode & 0o077) for path in keys} == {"0o0"}
    for folder in ("certificates", "certbot"):
        assert (project.state / folder).stat().st_mode & 0o077 == 0
    assert not [path for path in (project.state / "logs").rglob("*.*") if "PRIVATE KEY" in _text(path)]


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


def test_of_a_host_that_is_added_alone_a_certificate_is_asked_for(project: NamedProject, authority: Authority) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    before = presented(project)["bytes"]
    lay_out(project, authority.server, SHOP, WWW)

    assert unproved(project) == []

    assert (authority.asked(SHOP), authority.asked(WWW)) == (1, 1)
    assert presented(project)["bytes"] == before
    assert ("DNS", WWW) in presented(project, WWW, authority.root())["subjectAltName"]


@pytest.mark.parametrize("newest", [True, pytest.param(False, marks=pytest.mark.matrix)], ids=["1.31", "usual"])
def test_a_renewal_under_load_loses_nothing(project: NamedProject, authority: Authority, newest: bool) -> None:
    """An nginx before 1.27.4 closes the idle connections of its clients at each reload; no request is lost by more."""
    lay_out(project, authority.server, more=f'binary = "{packaged()}"' if newest else "")
    project.zddeploy()
    put(project, SHOP, 20)
    old = presented(project)["bytes"]
    spec = Spec(f"{HERE}:{project.https}", MIXED, host=SHOP, tls=True, rate=200, connections=16, timeout=60)

    with Load(spec) as load:
        project.zddeploy("certificates", "renew")
        assert presented(project)["bytes"] != old
        report = load.stop()

    (assert_nothing_lost if newest else assert_only_reloads_cost)(report)
    assert 88 <= listed(project)[SHOP]["days_left"] <= 90


def test_an_authority_that_is_away_delays_the_certificate_and_fails_no_deploy(
    project: NamedProject, authority: Authority
) -> None:
    authority.end()
    lay_out(project, authority.server)

    first = project.zddeploy()
    assert f"browsers do not accept the certificate of {SHOP}: the authority" in first.stdout
    assert "cannot be reached: Connection refused" in first.stdout
    assert "web 1" in project.get("/", SHOP)  # not redirected to what browsers do not accept
    asked = logs(project)
    assert unproved(project) == [{"service": "web", "reason": "certificate"}]
    assert logs(project) == asked  # the pause after a failure
    assert any("the last try for a certificate" in note for note in project.status()["notes"])
    assert listed(project)[SHOP]["failed"]["kind"] == "authority"
    assert "the last try" in project.zddeploy("certificates").stdout
    assert f"the last try for a certificate of {SHOP} failed" in project.zddeploy("check", code=None).stdout
    assert "no new certificate for" in project.zddeploy("certificates", "renew", code=1).stderr
    assert logs(project) > asked  # a person asks at once
    asked = logs(project)
    project.zddeploy("certificates", "renew", "--scheduled", code=1)
    assert logs(project) == asked

    authority.start()
    project.zddeploy("certificates", "renew")
    assert ("DNS", SHOP) in presented(project, root=authority.root())["subjectAltName"]
    assert listed(project)[SHOP]["failed"] is None
    assert not [note for note in project.status()["notes"] if "certificate" in note]


def logs(project: NamedProject) -> int:
    """How often certbot has been run."""
    return len(list((project.state / "certbot/logs").glob("letsencrypt.log*")))


def test_while_a_certificate_is_valid_nothing_but_a_notice_comes_of_a_failure(
    project: NamedProject, authority: Authority
) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    put(project, SHOP, 20)
    authority.end()

    told = project.events()

    assert told[-1]["unproved"] == []
    assert any("not renewed, 19 days left" in event.get("text", "") for event in told)


@pytest.mark.parametrize(
    ("status", "problem", "kind", "cause"),
    [
        (503, {}, "authority", "answers with status 503"),
        (
            500,
            {"type": "urn:ietf:params:acme:error:serverInternal", "detail": "x"},
            "authority",
            "answers with status 500",
        ),
        (429, {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}, "limited", "limits how often"),
    ],
)
def test_an_authority_that_refuses_everything_is_told_in_one_cause(
    project: NamedProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    problem: dict[str, object],
    kind: str,
    cause: str,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "door.crt"))
    with answering(tmp_path, status, problem) as server:
        lay_out(project, server)

        assert unproved(project) == [{"service": "web", "reason": "certificate"}]

    failed = listed(project)[SHOP]["failed"]
    assert failed["kind"] == kind, failed
    assert re.search(cause, failed["cause"])
    assert "\n" not in failed["cause"]


def test_a_name_that_leads_elsewhere_is_told_before_anybody_is_asked(
    project: NamedProject, authority: Authority
) -> None:
    project.lead({SHOP: "127.0.0.77"})
    lay_out(project, authority.server)

    told = project.zddeploy().stdout

    assert f"{SHOP} leads to 127.0.0.77, which refuses port 80" in told
    assert authority.issued() == 0
    project.lead({})
    # The latter on a machine without a DNS.
    assert re.search(f"{SHOP} has no address|the DNS does not answer for {SHOP}", project.zddeploy().stdout)
    project.lead({SHOP: HERE})
    assert unproved(project) == []  # what nobody was asked for is tried again by the next deploy


def test_what_the_authority_cannot_verify_is_told_in_its_words(project: NamedProject, authority: Authority) -> None:
    authority.lead(SHOP, "127.0.0.77")
    lay_out(project, authority.server, SHOP, WWW)

    told = project.zddeploy().stdout

    assert re.search(rf"could not verify {SHOP}: .*127\.0\.0\.77.*refused", told), told
    assert [unproved["service"] for unproved in project.events()[-1]["unproved"]] == ["web"]
    assert ("DNS", WWW) in presented(project, WWW, authority.root())["subjectAltName"]  # it has no part in it


def test_a_clock_that_is_wrong_is_told(project: NamedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from a clock that is behind, the certificate of the authority's door begins later."""
    made = Authority(tmp_path, project.port, age=-1)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.bundle))
    made.start()
    try:
        lay_out(project, made.server)
        told = project.zddeploy().stdout
    finally:
        made.end()

    assert "which is what this machine's clock shows; set the clock (`timedatectl`)" in told


def test_an_authority_that_is_not_trusted_is_told(
    project: NamedProject, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    lay_out(project, authority.server)

    assert "certbot does not trust the certificate of 127.0.0.1" in project.zddeploy().stdout


@pytest.mark.parametrize("project", ["4m"], indirect=True)
def test_on_a_full_disk_the_former_certificate_serves_on(project: NamedProject, authority: Authority) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    put(project, SHOP, 20)
    old = presented(project)["bytes"]
    with (project.state / "full").open("wb", 0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 512):
            pass

    told = project.zddeploy("certificates", "renew", code=1)

    assert "Traceback" not in told.stdout + told.stderr
    assert re.search("disk is full|No space left on device", told.stdout + told.stderr), told
    assert presented(project)["bytes"] == old
    (project.state / "full").unlink()
    project.zddeploy("certificates", "renew")
    assert presented(project)["bytes"] != old


@pytest.mark.parametrize("where", ["its own challenge", "certbot runs", "an order", "certbot has it", "the second one"])
def test_killed_anywhere_it_serves_and_the_next_one_finishes(
    project: NamedProject, authority: Authority, where: str
) -> None:
    lay_out(project, authority.server, SHOP, WWW)
    project.zddeploy()
    for host in (SHOP, WWW):
        put(project, host, 20)
    issued = authority.issued()
    reached: dict[str, Callable[[], object]] = {
        "its own challenge": lambda: any((project.state / "acme/.well-known/acme-challenge").glob("zdd-*")),
        "certbot runs": lambda: certbots(project),
        "an order": lambda: authority.issued() > issued,
        "certbot has it": lambda: list((project.state / "certbot/config/live").glob("*/fullchain.pem")),
        "the second one": lambda: authority.issued() > issued + 1,
    }
    renewing = project.beside("certificates", "renew")
    eventually(lambda: reached[where]() or renewing.poll() is not None, what=where)
    renewing.kill()
    renewing.wait()

    assert presented(project)["bytes"]
    eventually(lambda: not certbots(project))
    project.zddeploy("certificates", "renew")
    assert all(each["days_left"] >= 88 for each in listed(project).values())
    assert authority.issued() <= issued + 3  # at most one was issued for nothing
    for host in (SHOP, WWW):
        assert presented(project, host, authority.root())["subjectAltName"]


def certbots(project: NamedProject) -> list[tuple[int, str]]:
    return [(pid, title) for pid, title in leftovers(project.folder) if "certonly" in title]


def test_killed_between_the_certificate_and_the_reload_the_next_one_reloads(
    project: NamedProject, authority: Authority
) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    install(project, SHOP, 80)  # as far as a command came that was killed
    old = presented(project)["bytes"]

    assert "reloaded" in project.zddeploy("certificates", "renew").stdout

    assert presented(project)["bytes"] != old
    assert "no certificate is due" in project.zddeploy("certificates", "renew").stdout
    assert authority.issued() == 1


def test_two_at_once_ask_once(project: NamedProject, authority: Authority) -> None:
    lay_out(project, authority.server)
    project.zddeploy()
    put(project, SHOP, 20)
    first = project.beside("certificates", "renew")
    eventually(lambda: certbots(project))
    first.send_signal(signal.SIGSTOP)

    refused = project.zddeploy("certificates", "renew", code=3)
    assert "is asking for certificates of shop" in refused.stderr
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0
    assert authority.issued() == 2


def test_another_authority_is_asked_for_another_certificate(project: NamedProject, authority: Authority) -> None:
    """As after trials with a staging server."""
    lay_out(project, authority.server)
    project.zddeploy()
    old = presented(project)["bytes"]
    lay_out(project, authority.server.replace("/dir", "/dir?"))

    project.zddeploy()

    assert presented(project)["bytes"] != old
    assert authority.issued() == 2


def test_without_certbot_nothing_is_deployed_that_needs_it(project: NamedProject, tmp_path: Path) -> None:
    lay_out(project, "https://127.0.0.1:1/dir")
    program = [os.path.realpath(sys.executable), "-S", "-c", WITHOUT, *python_path(), str(tmp_path)]

    run = subprocess.run([*program], cwd=project.folder, capture_output=True, text=True, check=False)

    assert run.returncode == 2, run.stdout + run.stderr
    assert 'https = "auto" needs certbot, which is not installed' in run.stderr
    assert "pip install 'zddeploy[https]'" in run.stderr
    assert os.listdir(project.folder).count("S") == 0


WITHOUT = """
import importlib.util, os, sys
sys.path[:0] = sys.argv[1:-1]
os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin"
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "certbot" else find(name, *more)
sys.argv = ["zddeploy"]
from zdd.cli.main import main
main()
"""


def python_path() -> list[str]:
    import click
    import msgspec

    import zdd

    return [os.path.dirname(os.path.dirname(module.__file__ or "")) for module in (zdd, click, msgspec)]
