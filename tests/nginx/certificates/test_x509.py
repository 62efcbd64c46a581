"""What is read of a certificate, compared with what a library of certificates wrote into it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.certificates import Authority
from zdd.nginx.certificates import x509

DAY = 86400


def test_names_dates_and_issuer_are_read(tmp_path: Path) -> None:
    issued = Authority("The Issuer").issue(tmp_path, "Shop.test", "*.shop.test", "127.0.0.1", "[::1]", days=30, age=2)

    first, above = x509.read(issued.certificate.read_text())

    assert first.names == ("shop.test", "*.shop.test", "127.0.0.1", "::1")
    assert (first.issued_by, above.issued_by) == ("The Issuer", "The Issuer")
    assert (first.is_self_signed, above.is_self_signed) == (False, True)
    assert first.issuer == above.subject
    assert first.begins == pytest.approx(time.time() - 2 * DAY, abs=3600)
    assert first.ends == pytest.approx(time.time() + 30 * DAY, abs=3600)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.test", True),
        ("SHOP.test.", True),
        ("www.shop.test", True),
        ("a.www.shop.test", False),  # a * stands for one label
        ("*.shop.test", True),
        ("other.test", False),
        ("127.0.0.1", True),
        ("[::1]", True),
    ],
)
def test_a_star_stands_for_one_label(tmp_path: Path, host: str, expected: bool) -> None:
    issued = Authority().issue(tmp_path, "shop.test", "*.shop.test", "127.0.0.1", "[::1]")

    assert x509.read(issued.certificate.read_text())[0].covers(host) is expected


def test_years_from_2050_on_are_written_with_their_century(tmp_path: Path) -> None:
    issued = Authority().issue(tmp_path, "shop.test", days=365 * 40)

    assert x509.read(issued.certificate.read_text())[0].ends > time.time() + 39 * 365 * DAY


def test_what_is_damaged_is_said_to_be(tmp_path: Path) -> None:
    text = Authority().issue(tmp_path, "shop.test").certificate.read_text()

    with pytest.raises(ValueError, match="holds no certificate"):
        x509.read("nothing")
    for length in range(30, text.index("-----END") - 1, 37):
        with pytest.raises(ValueError, match=r"certificate 1 in it is damaged|holds no certificate"):
            x509.read(text[:length] + "\n-----END CERTIFICATE-----\n")


def test_every_certificate_of_this_system_can_be_read() -> None:
    roots = Path("/etc/ssl/certs/ca-certificates.crt")
    if not roots.exists():
        pytest.skip("there are no certificates")

    found = x509.read(roots.read_text())

    assert len(found) > 50
    assert all(each.issued_by and each.is_self_signed and each.ends > each.begins for each in found)
