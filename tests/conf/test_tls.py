"""HTTPS in the configuration: its defaults, and what contradicts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.errors import UsageError

WEB = '[service.web]\nrun = "app"\nhost = ["shop.example.org", "www.shop.example.org"]\n'
FILES = 'certificate = "site.crt"\ncertificate_key = "site.key"\n'


def load(folder: Path, nginx: str, services: str = WEB) -> Config:
    path = folder / "deploy.toml"
    path.write_text(f'[zdd]\nproject = "shop"\n[nginx]\n{nginx}\n{services}')
    return read.load(path)


def refused(folder: Path, nginx: str, services: str = WEB) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, nginx, services)
    return str(caught.value)


@pytest.mark.parametrize("nginx", ['https = "auto"', FILES])
def test_with_https_nginx_listens_on_the_usual_ports(tmp_path: Path, nginx: str) -> None:
    section = load(tmp_path, nginx).nginx

    assert (section.is_tls, section.listen, section.https_listen) == (True, ["80"], ["443"])
    assert (section.redirect_https, section.hsts) == (True, 0)


def test_what_the_file_says_counts(tmp_path: Path) -> None:
    section = load(tmp_path, FILES + 'listen = 8080\nhttps_listen = [8443, "[::]:8443"]\nhsts = "365d"').nginx

    assert (section.listen, section.https_listen, section.hsts) == (["8080"], ["8443", "[::]:8443"], 31536000)
    assert load(tmp_path, "").nginx.listen == ["127.0.0.1:8080"]


CONTRADICTIONS = {
    'https = "auto"\n' + FILES: "and certificate exclude each other",
    'https = "auto"\ncertificate_key = "a"': "and certificate_key exclude each other",
    'certificate = "a"': "certificate needs certificate_key, too",
    'certificate_key = "a"': "certificate_key needs certificate, too",
    "hsts = '365d'": "hsts has no effect without HTTPS",
    "https_listen = 443": "https_listen has no effect without HTTPS",
    "redirect_https = false": "redirect_https has no effect without HTTPS",
    'acme_email = "a@example.org"': 'acme_email has no effect without https = "auto"',
    FILES + 'acme_server = "https://ca.test/"': "acme_server has no effect without",
    FILES + "hsts = 31536000": "must be 0s, or at least one day with its unit, such as 365d",
    FILES + "hsts = '1h'": "must be 0s, or at least one day with its unit, such as 365d",
    FILES + "listen = 8443\nhttps_listen = 8443": "has the port of listen, too",
    FILES + "listen = '127.0.0.1:8443'\nhttps_listen = 8443": "has the port of listen, too",
    FILES + "https_listen = [8443, '*:8443']": "is there twice",
    FILES + "canonical_host = 'other.example.org'": "is no host of a service; it may be shop.example.org or www.shop",
    'https = "on"': "it must be off or auto",
    'include = "a"\nreload = "b"\nhttps = "auto"': "https has no effect with include",
    'include = "a"\nreload = "b"\n' + FILES: "certificate has no effect with include",
    'include = "a"\nreload = "b"\ncanonical_host = "a"': "canonical_host has no effect with include",
}


@pytest.mark.parametrize("nginx", CONTRADICTIONS)
def test_contradictions_are_refused(tmp_path: Path, nginx: str) -> None:
    assert CONTRADICTIONS[nginx] in refused(tmp_path, nginx)


HOSTS = {
    "host = '*.example.org'": 'host *.example.org with https = "auto" in [nginx]: an authority certifies',
    "host = '.example.org'": "certifies a pattern by DNS only",
    "host = '~^www'": "certifies a pattern by DNS only; name each host",
    "host = '192.0.2.1'": "certificates are for names, not for addresses",
    "host = 'a_b.example.org'": "a name with _ gets no certificate",
    "host = 'shop'": "only names with a dot",
    "": "needs host with https",
    "host = 'a.example.org'\npath = '/.well-known/acme-challenge/'": "zdd answers the certificate authority there",
}


@pytest.mark.parametrize("what", ['run = "app"', 'static = "dist"'], ids=["app", "site"])
@pytest.mark.parametrize("keys", HOSTS)
def test_a_host_that_no_authority_certifies_is_refused(tmp_path: Path, keys: str, what: str) -> None:
    service = f'[release]\nsource = "."\n[service.web]\n{what}\n{keys}\n'

    assert HOSTS[keys] in refused(tmp_path, 'https = "auto"', service)


def test_an_authority_of_ones_own_certifies_names_without_a_dot(tmp_path: Path) -> None:
    nginx = 'https = "auto"\nacme_server = "https://ca.internal/directory"'

    assert load(tmp_path, nginx, '[service.web]\nrun = "app"\nhost = "intranet"\n').nginx.https == "auto"


def test_names_of_the_section_are_for_services_without_a_host(tmp_path: Path) -> None:
    nginx = 'https = "auto"\nserver_name = "shop.example.org"\ncanonical_host = "shop.example.org"'

    assert load(tmp_path, nginx, '[service.web]\nrun = "app"\n').nginx.https == "auto"
    assert "server_name *.example.org with" in refused(tmp_path, 'https = "auto"\nserver_name = "*.example.org"')


def test_workers_need_no_host(tmp_path: Path) -> None:
    worker = '[service.jobs]\nrun = "jobs"\nsocket = "none"\n'

    assert load(tmp_path, 'https = "auto"', WEB + worker).nginx.is_tls


def test_a_certificate_of_ones_own_may_be_for_any_host(tmp_path: Path) -> None:
    assert load(tmp_path, FILES, '[service.web]\nrun = "app"\n').nginx.is_tls
    assert load(tmp_path, FILES, '[service.web]\nrun = "app"\nhost = "*.example.org"\n').nginx.is_tls


def test_in_ini_too(tmp_path: Path) -> None:
    path = tmp_path / "deploy.conf"
    path.write_text(
        "[zdd]\nproject = shop\n[nginx]\ncertificate = a\ncertificate_key = b\nredirect_https = false\nhsts = 30d\n"
        "[service:web]\nrun = app\nhost = shop.test\n"
    )
    section = read.load(path).nginx

    assert (section.redirect_https, section.hsts, section.https_listen) == (False, 30 * 86400, ["443"])
