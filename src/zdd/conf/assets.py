"""
The value of `assets`: folders of a release whose files nginx serves itself, and the URL path of each.

A plain folder is at the last part of its name: public/assets at /assets/. Another URL path is written with it:

    assets = ["public/assets"]                          in TOML, or { "/_next/static" = ".next/static" }
    assets = /_next/static = .next/static               in INI, one a line
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zdd.conf import hosts
from zdd.conf.document import Document
from zdd.conf.readers import INSIDE, Json, KindError, Reader, many, matching

Assets = list[str] | dict[str, str]

_FOLDERS = many(INSIDE)
_ROUTE = matching(hosts.ROUTE, judge="route")


def by_path(assets: Assets) -> dict[str, str]:
    """
    Return the folder at each URL path, which ends with a slash. Of folders at the same path the first one counts.

    >>> by_path(["public/assets"]), by_path({"/_next/static": ".next/static"})
    ({'/assets/': 'public/assets'}, {'/_next/static/': '.next/static'})
    """
    if isinstance(assets, dict):
        return {f"{path.rstrip('/')}/": folder.rstrip("/") for path, folder in assets.items()}
    plain = [folder.rstrip("/") for folder in reversed(assets)]
    return {f"/{folder.rpartition('/')[2]}/": folder for folder in plain}


def folders(assets: Assets) -> list[str]:
    """Return the folders."""
    return list(dict.fromkeys(assets.values() if isinstance(assets, dict) else assets))


def _read(value: object, document: Document) -> Assets:
    if isinstance(value, str) and not document.typed and (lines := _pairs(value)):
        value = lines
    if not isinstance(value, dict):
        folders = _FOLDERS.read(value, document)
        assert isinstance(folders, list)
        return folders
    return _table(value, document)


def _pairs(text: str) -> dict[str, str]:
    """Return the paths and folders of lines that begin with a slash; empty if there is none. Raises KindError."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not any(re.match(r"/.*=", line) for line in lines):
        return {}
    pairs: dict[str, str] = {}
    for line in lines:
        path, equals, folder = (part.strip() for part in line.partition("="))
        if not equals or path in pairs:
            raise KindError(line, "give each folder a URL path" if not equals else "this path is there twice")
        pairs[path] = folder
    return pairs


def _table(table: Mapping[object, object], document: Document) -> dict[str, str]:
    read: dict[str, str] = {}
    for path, folder in table.items():
        where = str(_ROUTE.read(path, document)).rstrip("/")
        if not where:
            raise KindError(path, "a whole site is a service with static")
        if where in read:
            raise KindError(path, "this path is there twice")
        read[where] = str(INSIDE.read(folder, document)).rstrip("/")
    return read


def _json() -> Json:
    table = {"type": "object", "additionalProperties": INSIDE.json, "propertyNames": _ROUTE.json}
    return {"anyOf": [*_FOLDERS.json["anyOf"], table]}


READER = Reader(_read, _json())
