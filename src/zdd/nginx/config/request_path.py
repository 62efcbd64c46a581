"""The path of a request: as it is spelled there, and as nginx compares it with locations."""

from __future__ import annotations

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~/!$&'()*+,;=:@-")


def encoded(path: str) -> str:
    """
    Return the path as a request spells it.

    >>> encoded("/a b"), encoded("/a:b")
    ('/a%20b', '/a:b')
    """
    if set(path) <= _PLAIN:
        return path
    from urllib.parse import quote  # here, because few have such a path

    return quote(path, safe="/!$&'()*+,;=:@", errors="surrogateescape")


def decoded(path: str) -> str:
    """
    Return the path as nginx compares it.

    >>> decoded("/a%20b?c=%20")
    '/a b'
    """
    path = path.partition("?")[0]
    if "%" not in path:
        return path
    from urllib.parse import unquote  # here, because few have such a path

    return unquote(path, errors="surrogateescape")
