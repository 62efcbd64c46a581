"""The forms in which certificates and keys come: from certbot, OpenSSL, Windows, an authority's mail."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat, pkcs7, pkcs12

from tests.certificates import Authority, Issued
from zdd.nginx.certificates import choice, faults, pem_files
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
    "files glued together": lambda issued: rewritten(issued, lambda text: text.replace(b"-----\n-----", b"----------")),
}


def foreign(issued: Issued) -> dict[str, bytes]:
    """What a file may hold instead, made of the same certificate and key."""
    chain = x509.load_pem_x509_certificates(issued.certificate.read_bytes())
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    secret = BestAvailableEncryption(b"secret")
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    der, pem, nothing = serialization.Encoding.DER, serialization.Encoding.PEM, serialization.NoEncryption()
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "key": issued.key.read_bytes(),
        "certificate": issued.certificate.read_bytes(),
        "PKCS#12": pkcs12.serialize_key_and_certificates(None, key, chain[0], chain[1:], secret),
        "PKCS#7": pkcs7.serialize_certificates(chain, pem),
        "PKCS#7 in DER": pkcs7.serialize_certificates(chain, der),
        "DER": chain[0].public_bytes(der),
        "key in DER": key.private_bytes(der, PrivateFormat.PKCS8, nothing),
        "old key in DER": key.private_bytes(der, PrivateFormat.TraditionalOpenSSL, nothing),
        "request": request.public_bytes(pem),
        "public key": public,
        "nothing": b"\n",
        "words": b"see attachment",
    }


FOREIGN = [
    (False, "key", "are certificate and certificate_key exchanged?"),
    (True, "certificate", "are certificate and certificate_key exchanged?"),
    (False, "PKCS#12", "it is PKCS#12"),
    (True, "PKCS#12", "it is PKCS#12"),
    (False, "PKCS#7", "it is PKCS#7"),
    (False, "PKCS#7 in DER", "it is PKCS#7"),
    (False, "DER", "it is DER"),
    (True, "key in DER", "it is DER"),
    (True, "old key in DER", "it is DER"),
    (False, "request", "the request for a certificate"),
    (True, "public key", "a public key"),
    (True, "nothing", "the file is empty"),
    (False, "words", "PEM is text"),
]


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


@pytest.mark.parametrize(("is_key", "name", "said_of_it"), FOREIGN)
def test_what_else_authorities_send_is_told_with_the_command_that_makes_pem_of_it(
    tmp_path: Path, is_key: bool, name: str, said_of_it: str
) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    content = foreign(issued)[name]
    new, path = tmp_path / "NEW.pem", issued.key if is_key else issued.certificate
    path.write_bytes(content)
    config = configured(tmp_path, issued)

    (finding,) = faults.of_files(config, Paths(config))

    assert f"holds no {'private key' if is_key else 'certificate'} in PEM" in finding.what
    assert said_of_it in finding.fix
    if command := re.search("`(openssl .*)`", finding.fix):
        argv = [*command[1].split(), *(["-passin", "pass:secret"] if "pkcs12" in command[1] else [])]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
        path.write_text(new.read_text())
        told = " ".join(said(config))
        # DER has no chain, and PKCS#7 no order.
        assert told == "" or "holds one certificate" in told or "PKCS#7" in name
        assert "in PEM" not in told


def test_lost_line_breaks_are_told_as_such(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, *HOSTS)
    rewritten(issued, lambda text: text.replace(b"\n", b""))
    config = configured(tmp_path, issued)

    (finding,) = faults.of_files(config, Paths(config))

    assert "its line breaks are lost" in finding.fix
