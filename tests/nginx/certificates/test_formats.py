"""The forms in which certificates and keys come: from certbot, OpenSSL, Windows, an authority's mail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat

from tests.certificates import Authority, Issued
from zdd.nginx.certificates import choice, pem_files
from zdd.nginx.certificates.store import FILES, Pair
from zdd.paths import Paths

from .test_pem_files import HOSTS, configured, said

BOM = b"\xef\xbb\xbf"


def rewritten(issued: Issued, change: Callable[[bytes], bytes]) -> None:
    for path in issued:
        path.write_bytes(change(path.read_bytes()))


def old_form(issued: Issued) -> None:
    """As `openssl ecparam -genkey` writes a key (SEC1), with the curve's parameters before it."""
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    text = key.private_bytes(serialization.Encoding.PEM, PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    assert b"BEGIN EC PRIVATE KEY" in text
    issued.key.write_bytes(parameters.encode() + text)


def in_one_file(issued: Issued) -> None:
    """As HAProxy wants it."""
    both = issued.certificate.read_text() + issued.key.read_text()
    for path in issued:
        path.write_text(both)


FORMS: dict[str, Callable[[Issued], object]] = {
    "PKCS#8": lambda _: None,
    "SEC1": old_form,
    "a byte order mark": lambda issued: rewritten(issued, lambda text: BOM + text),
    "lines of Windows": lambda issued: rewritten(issued, lambda text: text.replace(b"\n", b"\r\n")),
    "both of it": lambda issued: rewritten(issued, lambda text: BOM + text.replace(b"\n", b"\r\n")),
    "UTF-16 of PowerShell": lambda issued: rewritten(issued, lambda text: text.decode().encode("utf-16")),
    "words before it": lambda issued: rewritten(issued, lambda text: "Für Sie: \xa7\n".encode("latin-1") + text),
    "one file": in_one_file,
}


@pytest.mark.parametrize("form", FORMS)
def test_nginx_gets_what_openssl_can_read(tmp_path: Path, form: str) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    FORMS[form](issued)
    config = configured(tmp_path, issued)

    assert said(config) == []

    paths = Paths(config)
    choice.require(config, paths)
    pair = pem_files.usable(config.nginx, choice.store(paths), HOSTS)
    assert pair
    choice.store(paths).install(FILES, pair)
    copies = Path(paths.certificates, FILES, pair.digest)
    copied = config.nginx.__class__(certificate=copies / "certificate.pem", certificate_key=copies / "key.pem")
    pem_files.require_match(copied, pem_files.read(copied))


@pytest.mark.parametrize("how", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_password_is_refused(tmp_path: Path, how: PrivateFormat) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    issued.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, how, BestAvailableEncryption(b"secret")))

    (told,) = said(configured(tmp_path, issued))

    assert "is encrypted, and nobody types its password when nginx starts" in told


def test_a_second_certificate_in_the_file_is_refused(tmp_path: Path) -> None:
    """Such as RSA beside ECDSA: nginx would show the first, with a chain that leads nowhere."""
    issued, other = Authority().issue(tmp_path, *HOSTS), Authority().issue(tmp_path, *HOSTS, name="other")
    issued.certificate.write_text(issued.certificate.read_text() + other.certificate.read_text())

    (told,) = said(configured(tmp_path, issued))

    assert "has its chain in a wrong order: number 3" in told


def test_links_of_certbot_are_followed_and_a_renewal_is_another_pair(tmp_path: Path) -> None:
    live, archive = tmp_path / "live/shop.test", tmp_path / "archive"
    live.mkdir(parents=True)
    archive.mkdir()
    links = Issued(live / "fullchain.pem", live / "privkey.pem")

    def renew(number: int) -> None:
        for link, path in zip(links, Authority().issue(archive, *HOSTS, name=f"made{number}"), strict=True):
            files_point(link, path)

    renew(1)
    config = configured(tmp_path, links)
    assert said(config) == []
    assert config.nginx.certificate == links.certificate  # not what it leads to today
    first = pem_files.read(config.nginx)
    renew(2)

    assert said(config) == []
    assert pem_files.read(config.nginx).digest != first.digest


def files_point(link: Path, path: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(path, link.parent))


def test_a_pair_that_is_half_replaced_is_not_taken_whatever_the_files_are_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    config = configured(tmp_path, issued)
    store = choice.store(Paths(config))
    key = issued.key.read_text()
    Authority().issue(tmp_path, *HOSTS)  # both are new
    half = Pair(issued.certificate.read_text(), key)  # but the key was read before
    monkeypatch.setattr(pem_files, "read", lambda _: half)

    assert pem_files.usable(config.nginx, store, HOSTS) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_key_that_another_user_owns_is_told(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    config = configured(tmp_path, issued)
    os.chown(issued.key, 33, 33)

    (told,) = said(config)

    assert told.startswith("warning: others than root can change certificate_key")


def test_a_name_in_other_letters_is_compared_as_browsers_do(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, "xn--bcher-kva.test", "*.shop.test", "192.0.2.1")

    assert said(configured(tmp_path, issued, ("www.shop.test", "192.0.2.1", "xn--bcher-kva.test"))) == []
    assert "is not for a.b.shop.test" in said(configured(tmp_path, issued, ("a.b.shop.test",)))[0]
