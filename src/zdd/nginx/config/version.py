"""Versions of nginx, and the first ones that have what zdd's text is made of."""

Version = tuple[int, int, int]

KEEPALIVE_TIME: Version = (1, 19, 10)
HTTP2_DIRECTIVE: Version = (1, 25, 1)
KEEPALIVE_MIN_TIMEOUT: Version = (1, 27, 4)
POOLS_BY_DEFAULT: Version = (1, 29, 7)  # upstreams keep connections alive, and speak HTTP/1.1, unless told otherwise


def dotted(version: Version) -> str:
    """
    Return the version as nginx prints it.

    >>> dotted((1, 22, 1))
    '1.22.1'
    """
    return ".".join(map(str, version))
