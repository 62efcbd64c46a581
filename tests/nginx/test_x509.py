from __future__ import annotations

import random
import subprocess
import time

import pytest

from zdd.nginx import x509

DAY = 86400


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate for three names, valid for 90 days, made by OpenSSL."""
    path = tmp_path_factory.mktemp("x509") / "certificate.pem"
    names = "subjectAltName=DNS:Shop.test,DNS:www.shop.test,DNS:*.wild.test,IP:127.0.0.1"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-days", "90"]
    argv += ["-subj", "/O=Shöp/CN=An authority", "-utf8", "-addext", names, "-out", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path.read_text()


def test_names_dates_and_issuer_are_read(pem: str) -> None:
    facts = x509.facts(pem)

    assert facts.names == ("shop.test", "www.shop.test", "*.wild.test")
    assert (facts.issuer, facts.subject) == ("An authority", "An authority")
    assert facts.until - facts.since == 90 * DAY
    assert abs(facts.since - time.time()) < DAY


def test_the_first_of_a_chain_counts(pem: str) -> None:
    assert x509.facts(f"some text\n{pem}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").names


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("shop.test", True),
        ("SHOP.test.", True),
        ("a.wild.test", True),
        ("a.b.wild.test", False),
        ("wild.test", False),
        ("blog.test", False),
        ("127.0.0.1", False),
    ],
)
def test_a_wildcard_stands_for_one_label(pem: str, host: str, covered: bool) -> None:
    assert x509.facts(pem).covers(host) is covered


def test_it_is_valid_between_its_dates(pem: str) -> None:
    facts = x509.facts(pem)

    moments = (facts.since - 1, facts.since, facts.until, facts.until + 1)
    assert [facts.is_valid(moment) for moment in moments] == [False, True, True, False]


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "x" * 1000])
def test_what_is_no_certificate_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        x509.facts(text)


def test_a_damaged_certificate_is_nothing_else_either(pem: str) -> None:
    chance = random.Random(1)
    lines = pem.splitlines()
    for _ in range(2000):
        changed = list("".join(lines[1:-1]))
        for _ in range(chance.choice((1, 3))):
            changed[chance.randrange(120)] = chance.choice("ABCXYZabcxyz0189+/")
        cut = "".join(changed)[: chance.choice((len(changed), chance.randrange(4, len(changed), 4)))]
        try:
            x509.facts(f"{lines[0]}\n{cut}\n{lines[-1]}")
        except ValueError as error:
            assert str(error) == "the certificate is damaged"  # noqa: PT017
