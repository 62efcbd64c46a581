"""What certbot prints becomes one cause. The texts are those of certbot 2 to 5, printed at pebble and Let's Encrypt."""

from __future__ import annotations

import datetime

import pytest

from zdd.acme import failure
from zdd.acme.answer import Answer
from zdd.acme.authority import LETS_ENCRYPT

NAME = "shop.example.org"
NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC).timestamp()
AROUND = "Saving debug log to /var/lib/zdd/shop/acme/logs/letsencrypt.log\n{}\nAsk for help or search for solutions at \
https://community.letsencrypt.org. See the logfile /x/letsencrypt.log or re-run Certbot with -v for more details.\n"


def problem(kind: str, detail: str) -> str:
    return (
        "Requesting a certificate for shop.example.org\n\nCertbot failed to authenticate some domains (authenticator: "
        f"webroot). The Certificate Authority reported these problems:\n  Domain: {NAME}\n  Type:   {kind}\n"
        f"  Detail: {detail}\n\nHint: The Certificate Authority failed to download the temporary challenge files "
        "created by Certbot. Ensure that the listed domains serve their content.\n\nSome challenges have failed."
    )


def unexpected(text: str) -> str:
    return f"An unexpected error occurred:\n{text}"


AWAY = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='acme-v02.api.letsencrypt.org', port=443): Max "
    "retries exceeded with url: /directory (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object>: "
    "Failed to establish a new connection: {}'))"
)
SSL = (
    "requests.exceptions.SSLError: HTTPSConnectionPool(host='127.0.0.1', port=14000): Max retries exceeded with url: "
    "/dir (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "{} (_ssl.c:1000)')))"
)
CAA = "Certification Authority Authorization (CAA) records forbid the CA from issuing a certificate"
LIMIT = (
    "There were too many requests of a given type :: too many certificates (5) already issued for this exact set of "
    "identifiers in the last 168h0m0s, retry after {}: see https://letsencrypt.org/docs/rate-limits/"
)


@pytest.mark.parametrize(
    ("output", "kind", "cause", "hint"),
    [
        (problem("dns", "DNS problem: NXDOMAIN looking up A"), "refused", "verify shop.example.org: DNS", "A or"),
        (problem("connection", "192.0.2.1: Connection refused"), "refused", "Connection refused", "port 80"),
        (problem("unauthorized", "192.0.2.1: Invalid response: 404"), "refused", "404", "another machine"),
        (problem("caa", "CAA record prevents issuance"), "refused", "CAA", "CAA record"),
        (unexpected(LIMIT.format("2026-02-02 03:04:05 UTC")), "limited", "too many", "2026-02-02 03:04 UTC"),
        (unexpected("There were too many requests of a given type :: too many failed"), "limited", "failed", "later"),
        (unexpected(AWAY.format("[Errno 111] Connection refused")), "authority", "cannot be reached: Conn", "network"),
        (unexpected(AWAY.format("Name or service not known")), "authority", "Name or service not known", "DNS"),
        (unexpected(SSL.format("certificate is not yet valid")), "clock", "2026-01-31 12:00 UTC", "timedatectl"),
        (unexpected(SSL.format("certificate has expired")), "clock", "this machine's clock", "timedatectl"),
        (unexpected(SSL.format("unable to get local issuer certificate")), "trust", "not trust", "REQUESTS_CA"),
        (unexpected("acme.errors.ClientError: <Response [503]>"), "authority", "answers with status 503", "by itself"),
        (unexpected("The server experienced an internal error :: x"), "authority", "internal error", "by itself"),
        (unexpected("OSError: [Errno 28] No space left on device"), "disk", "disk is full", "make room"),
        ("Another instance of Certbot is already running.", "busy", "another certbot", "end"),
        ("Unable to register an account with ACME server. x is an invalid email", "account", "email", "acme_email"),
        (unexpected("KeyError: 'renewals'"), "certbot", "certbot failed: KeyError", "log"),
        ("", "certbot", "it has printed nothing", "log"),
        (problem("connection", "2001:db8::1: Fetching http://x: Connection refused"), "refused", "2001:", '"80"'),
        (problem("dnssec", "DNSSEC: bogus"), "refused", "bogus", "DNSSEC"),
        (
            unexpected("The server will not issue certificates for the identifier :: Cannot issue for x: policy"),
            "refused",
            "issues nothing for shop.example.org: The server will not",
            "spelt right",
        ),
        (unexpected(f"{CAA} :: caa"), "refused", "issues nothing for shop.example.org", "CAA record"),
        (unexpected("The client sent an unacceptable anti-replay nonce :: x"), "authority", "nonce", "by itself"),
        (unexpected("acme.errors.TimeoutError"), "authority", "is slow", "by itself"),
        ("Waiting\n(killed: not done after 300 s)", "authority", "is slow", "by itself"),
        (
            unexpected("The request specified an account that does not exist :: x"),
            "account",
            "gives no account",
            "remove certbot/config/accounts in the state folder",
        ),
        (unexpected("The server requires external account binding"), "account", "external", "eab-kid"),
    ],
)  # fmt: skip
def test_each_way_to_fail_has_one_cause_and_what_to_do(output: str, kind: str, cause: str, hint: str) -> None:
    told = failure.of(AROUND.format(output) if output else "", NAME, LETS_ENCRYPT, NOW)

    assert told.kind == kind
    assert cause in told.cause
    assert hint in told.hint
    assert "\n" not in told.cause + told.hint


def test_the_authority_is_named_by_its_host_and_what_it_says_is_not_endless() -> None:
    told = failure.of(problem("dns", "x" * 5000), NAME, "https://ca.example.net:14000/dir", NOW)

    assert told.cause.startswith("ca.example.net:14000 could not verify shop.example.org: xxx")
    assert len(told.cause) < 400


def test_a_limit_says_until_when() -> None:
    told = failure.of(unexpected(LIMIT.format("2026-02-02 03:04:05 UTC")), NAME, LETS_ENCRYPT, NOW)

    assert told.until == datetime.datetime(2026, 2, 2, 3, 4, 5, tzinfo=datetime.UTC).timestamp()


def test_what_certbot_does_not_print_of_the_answer_counts_too() -> None:
    output = unexpected("acme.errors.ClientError: <Response>")
    for status, kind in (("429", "limited"), ("503", "authority")):
        told = failure.of(output, NAME, LETS_ENCRYPT, NOW, Answer(status, until=NOW + 60))
        assert (told.kind, told.until) == (kind, NOW + 60)
    for kind, hint in (("rejectedIdentifier", "spelt right"), ("caa", "CAA record")):
        told = failure.of(output, NAME, LETS_ENCRYPT, NOW, Answer("403", f"acme:error:{kind}"))
        assert (told.kind, hint in told.hint) == ("refused", True)
    told = failure.of(output, NAME, LETS_ENCRYPT, NOW, Answer("400", "acme:error:accountDoesNotExist"))
    assert (told.kind, told.until) == ("account", None)
    assert "remove certbot/config/accounts" in told.hint
