"""A real browser before what is deployed: nothing that a page does fails, and nothing that it has open is closed."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .browser import Browser, browser
from .project import APPS, PLAIN, Project, configure, service, version
from .static_code import Site
from .test_https import Shop, shop

__all__ = ["shop"]  # a fixture

pytestmark = pytest.mark.browser
PAGE = {"run": "uvicorn --fd {fd} --log-level warning page:app", "health_path": "/"}
QUIET = {"failed": [], "closed": [], "breaks": 0}


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path) as opened:
        yield opened


def deploy_thrice_beside(project: Project, page: Browser) -> None:
    """Deploy three times; all that the page has open stays, and all that it asks is answered, by each version."""
    page.await_true("seen.answered > 20 && seen.events > 2 && seen.echoes > 2")
    for number in (2, 3, 4):
        version(project, number)
        project.zddeploy()
        page.await_true(f"seen.versions.at(-1) == '{number}'")
    events, echoes = page.run("[seen.events, seen.echoes]")
    page.await_true(f"seen.events > {events} && seen.echoes > {echoes}")

    found = page.run("({failed: seen.failed, closed: seen.closed, breaks: seen.breaks})")
    assert found == QUIET
    assert page.run("seen.versions") == ["1", "2", "3", "4"]
    assert (page.errors, page.lost) == ([], [])


@pytest.mark.parametrize("more", [{}, {"instances": 3, "sticky": "ip"}], ids=["one", "sticky"])
def test_a_page_notices_nothing_of_three_deploys(project: Project, plain: Browser, more: dict[str, object]) -> None:
    configure(project, service("web", **PAGE, **more))
    project.zddeploy()
    plain.open(f"http://127.0.0.1:{project.port}/")

    deploy_thrice_beside(project, plain)


def test_a_page_by_https_and_http_2_notices_nothing_either(shop: Shop, tmp_path: Path) -> None:
    """The WebSocket is one of HTTP/1.1. The first plain request is redirected; then the browser knows."""
    shop.configure(service("web", **PAGE, host="shop.test"), more='hsts = "1d"')
    shop.project.zddeploy()
    rules = [
        f"MAP shop.test:80 127.0.0.1:{shop.project.port}",
        f"MAP shop.test:443 127.0.0.1:{shop.https}",
        "MAP shop.test 127.0.0.1",
    ]
    trusted = f"--ignore-certificate-errors-spki-list={fingerprint(shop.project.folder / 'tls/site.crt')}"
    with browser(tmp_path, f"--host-resolver-rules={', '.join(rules)}", trusted) as page:
        page.open("http://shop.test/")
        assert page.run("location.protocol") == "https:"
        assert page.run("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"

        deploy_thrice_beside(shop.project, page)

        before = redirects(shop.project)
        page.run("seen.going = false")
        page.open("http://shop.test/again")
        assert page.run("location.href") == "https://shop.test/again"
        assert before == redirects(shop.project) == 1, "it has asked by HTTPS at once"


def fingerprint(certificate: Path) -> str:
    """What names the key of a certificate."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


def redirects(project: Project) -> int:
    return sum(line["status"] == 301 for line in accesses(project))


def accesses(project: Project) -> list[dict[str, object]]:
    return [
        json.loads(line) for line in project.zddeploy("logs", "--access", "--json", "-n", "10000").stdout.splitlines()
    ]


SCRIPT = "assets/index-DiwrgT{}a.js"
LAZY = "assets/lazy-DiwrgT{}b.js"


def pages(number: int) -> dict[str, str]:
    """A single-page application as bundlers make it: the index names a hashed script, which names one for later."""
    index = f'<!doctype html><link rel=icon href="data:,"><script type=module src="/{SCRIPT.format(number)}"></script>'
    return {
        "index.html": index,
        SCRIPT.format(number): f'window.app = {number}; window.later = () => import("/{LAZY.format(number)}");',
        LAZY.format(number): f"export const version = {number};",
    }


def test_an_open_page_finds_its_old_scripts_and_a_reload_the_new_page(project: Project, plain: Browser) -> None:
    site = Site(project, service("api", **PLAIN, path="/api"), spa=True)  # only with an app is there an access log
    shutil.copytree(APPS, site.folder, dirs_exist_ok=True)
    site.write("VERSION", "1")
    site.deploy(1, pages=pages(1))
    plain.open(f"http://127.0.0.1:{project.port}/carts/17")
    assert plain.run("app") == 1
    plain.reload()
    assert [line["status"] for line in accesses(project) if line["path"] == "/carts/17"] == [200, 304]

    site.deploy(2, pages=pages(2))
    assert plain.run("later().then(found => found.version)") == 1
    plain.reload()

    assert plain.run("app") == 2
    assert plain.run("later().then(found => found.version)") == 2
    project.zddeploy("rollback")
    plain.reload()
    assert plain.run("app") == 1
    assert (plain.errors, plain.lost) == ([], [])
