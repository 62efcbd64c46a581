"""Secrets such as passwords, hidden in all text that zdd shows or logs."""

from __future__ import annotations

import re

HIDDEN = "****"

# Patterns are compiled when a text needs them: most texts have no "=" and no "--", and all of them take 1 ms.
_SECRET = (
    r"(?i)(^|[^a-z0-9])([a-z0-9]*(password|passwd|secret|token|key)"
    r"|pass|passphrase|dsn|credential|auth|jwt|(?<=[^a-z0-9])pwd?)s?($|[^a-z0-9])"
)
_HARMLESS = r"(?i)[^a-z0-9](file|path|dir|name)$"  # SSL_KEY_FILE is the path of a key, not the key
_VALUE = r"""("[^"]*"|'[^']*'|[^\s&"']+)"""
_PAIRS = (  # a name, what stands between, a value
    r"""(?<=')([\w.-]+)(=)([^']*)""",  # in one shell word: '--token=with blanks'
    r"(?<![\w.-])([\w.-]+)(=)" + _VALUE,  # from its first letter on; otherwise a long word takes hours
    r"(?<![\w-])(--[\w-]++)(\s++)(?!-)" + _VALUE,
)
_NOT_UTF_8 = "[\ud800-\udfff]"
_HEADER = r"(?i)(authorization:\s*(?:\w+\s+)?)[^\s\"']+"
_URL = r"([a-zA-Z][\w+.-]{0,30}+://)([^\s/@:]*)(:[^\s/]*)?@"


def is_secret(name: str) -> bool:
    """Return whether the name of a variable or an option suggests that it holds a secret."""
    return bool(re.search(_SECRET, name)) and not re.search(_HARMLESS, name)


def value(name: str, text: str) -> str:
    """Return a variable's value without secrets."""
    return HIDDEN if text and is_secret(name) else hide(text)


def readable(text: str) -> str:
    """Return a text with replacements for bytes that are not UTF-8, as in file names: no log can hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub(_NOT_UTF_8, "\N{REPLACEMENT CHARACTER}", text)
    return text


def hide(text: str) -> str:
    """Return a readable text without passwords in URLs and without values whose names suggest a secret."""
    text = readable(text)
    if "://" in text:
        text = re.sub(_URL, _hide_login, text)
    if "uthorization:" in text.lower():
        text = re.sub(_HEADER, rf"\1{HIDDEN}", text)
    for pattern in _PAIRS if "=" in text or "--" in text else ():
        text = re.sub(pattern, lambda pair: pair[1] + pair[2] + (HIDDEN if is_secret(pair[1]) else pair[3]), text)
    return text


def hide_in(value: object) -> object:
    """Return a value with all its texts without secrets: a text, a list of such values, or anything else as it is."""
    if isinstance(value, list):
        return [hide_in(item) for item in value]
    return hide(value) if isinstance(value, str) else value


def _hide_login(login: re.Match[str]) -> str:
    scheme, user, password = login.groups()
    if password:
        return f"{scheme}{user}:{HIDDEN}@"
    return f"{scheme}{HIDDEN}@" if scheme.lower().startswith("http") else login[0]  # there a user name alone is a token
