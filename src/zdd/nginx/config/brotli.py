"""
Files that a build has compressed with brotli, for an nginx without a module for it: x.js.br in the place of x.js.

A location of its own sends them, since their names do not tell their type.
"""

from __future__ import annotations

from zdd.nginx.config.upstream import quoted

TYPES = {
    "text/html": "html?",
    "text/css": "css",
    "text/javascript": "m?js",
    "text/plain": "txt",
    "text/xml": "xml",
    "application/json": "(?:json|map)",
    "application/manifest+json": "webmanifest",
    "application/wasm": "wasm",
    "image/svg+xml": "svg",
}
"""The types that are worth it, and the ends of their files' names."""

_TAKES = r"~*(?:^|,)\s*br\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))"
HTTP_LINE = f'map $http_accept_encoding $zdd_br {{ default "/"; {quoted(_TAKES)} .br; }}'
"""For the http level: the end of a compressed file's name, or what no file's name ends with."""

TEST = "if (-f $request_filename$zdd_br) { return 418; }"
"""For a location that serves files: leads to `location` where there is such a file and the browser takes it."""


def leads(service: str) -> str:
    """Return the line that leads there."""
    return f"error_page 418 = {_prefix(service)}$uri;"


def endings() -> str:
    """Return the pattern of the names of files that may have such a neighbour."""
    return rf"\.(?:{'|'.join(TYPES.values())})$"


def location(where: str, service: str, lines: list[str], first: str) -> dict[str, str]:
    """
    Return the location; `lines` are those of the service's own location that say where files are, and headers.

    `first` is the one of them that locations inside do not inherit.
    """
    by_type = [
        f"location ~ {quoted(f'[.]{ending}$')} {{ {first} types {{ }} default_type {kind}; try_files $uri.br =404; }}"
        for kind, ending in TYPES.items()
    ]
    headers = ["gzip off;", "add_header Content-Encoding br;"]
    return {f"{_prefix(service)}{where}": "\n".join(["internal;", *lines, *headers, *by_type])}


def _prefix(service: str) -> str:
    return f"/zdd-brotli/{service}"
