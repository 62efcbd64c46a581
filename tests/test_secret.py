"""Secrets are told by their names, and by where they stand in a URL."""

from __future__ import annotations

import pytest

from zdd import secret
from zdd.errors import ZddError


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD",
        "DB_PASSWORD",
        "SMTP_PASS",
        "SECRET_KEY",
        "API_TOKEN",
        "apiKey",
        "STRIPE_KEYS",
        "SENTRY_DSN",
        "--token",
        "MYSQL_PWD",
        "db-pw",
        "SESSION_JWT",
    ],
)
def test_names_that_hold_secrets_are_known(name: str) -> None:
    assert secret.is_secret(name)


@pytest.mark.parametrize(
    "name", ["LOG_LEVEL", "KEYBOARD", "PASSENGERS", "AUTHOR", "PWD", "OLDPWD", "SSL_KEY_FILE", "TOKENIZER"]
)
def test_other_names_hold_none(name: str) -> None:
    assert not secret.is_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("DB_PASSWORD=x1 ./migrate --fast", "DB_PASSWORD=**** ./migrate --fast"),
        ("app --token x1 --port 80", "app --token **** --port 80"),
        ("app --token=x1 --port=80", "app --token=**** --port=80"),
        ("app '--token=x1 x2' b", "app '--token=****' b"),
        ('SECRET="x1 x2" app', "SECRET=**** app"),
        ("--api-key --verbose", "--api-key --verbose"),
        ("postgres://shop:x1@db/shop", "postgres://shop:****@db/shop"),
        ("redis://:x1@cache:6379/0", "redis://:****@cache:6379/0"),
        ("https://x1@github.com/shop.git", "https://****@github.com/shop.git"),
        ("ssh://git@github.com/shop.git", "ssh://git@github.com/shop.git"),
        ("https://api/?token=x1&page=2", "https://api/?token=****&page=2"),
        ("curl -H 'Authorization: Bearer x1' http://a", "curl -H 'Authorization: Bearer ****' http://a"),
        ("gunicorn -b fd://3 --workers=4 app:app", "gunicorn -b fd://3 --workers=4 app:app"),
    ],
)
def test_of_a_text_only_the_secrets_are_hidden(text: str, shown: str) -> None:
    assert secret.hide(text) == shown


def test_an_error_s_words_have_none() -> None:
    error = ZddError("`app --token x1` ended", hint="TOKEN=x1 app")

    assert "x1" not in f"{error} {error.message} {error.hint}"


def test_a_very_long_word_is_shown_as_it_is() -> None:
    word = "x" * 1_000_000  # a search that began at each of its letters would go on for hours

    assert secret.hide(word) == word
    assert secret.hide(f"A_TOKEN={word}") == "A_TOKEN=****"


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000 + "://", "-" * 1_000_000, "--a" * 300_000, "x://" + ":" * 1_000_000, "a=" * 500_000],
    ids=["a word", "dashes", "options", "a URL", "pairs"],
)
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    assert secret.hide(text)  # a time that grows with the square of the length would be an hour
