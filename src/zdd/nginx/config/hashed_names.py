r"""
Names of files that tell their content, as bundlers make them: another content has another name.

Two patterns, because their mistakes cost different things. `PATTERN` says which files of earlier releases stay
reachable, so that an open page finds its scripts. It takes every script and style sheet that a bundler may have named:
one too few breaks the page, one too many does no harm, since the release that serves comes first. `FOR_EVER` says what
browsers keep for a year without asking again. It leaves out what people may have named: one too many stays old for a
year, one too few costs a request that is answered 304. It takes:

    index.55e7cbb9ba48.js, main-073c9b0a.chunk.css      8 to 64 hexadecimal digits; not the last part of a UUID
    assets/index-B_k2-3xZ.js                            below assets/, 8 letters as Vite makes them, capitals and small
                                                        ones; not words and numbers: LinkedIn, side-nav, 1024x768
    main-5ZHV3MVF.js                                    8 capitals and digits of base32 with both, as esbuild makes them
    _next/static/..., _astro/..., _app/immutable/...,   all files in there, whose frameworks promise it
    _nuxt/...

Photos of a day (photo-20240101b.jpg), versions (jquery-3.7.1.min.js) and a word before or after a number
(SUMMER24, abcdef12) do not count. Of the names that Vite makes nine in ten do.
"""

from __future__ import annotations

import re

_END = r"(?:\.[A-Za-z0-9]{1,11}){1,3}"  # .js, .chunk.css, .js.map.gz
_FOLDERS = r"_next/static|_astro|_app/immutable|_nuxt(?!/builds/)"
_IN_ASSETS = r"/assets/(?:[^/]+/){0,16}[^/]*-"
_SCRIPT = r"\.(?:m?js|css)(?:\.map)?(?:\.gz|\.br)?"

_HEX = r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}"
_BASE_32 = r"(?=[A-Z]*[2-7])(?=[2-7]*[A-Z])[A-Z2-7]{8}"
_EIGHT = r"(?=[A-Za-z0-9_-]{8}\.)"  # before all that looks further, or a long name of hyphens takes for ever
# Not one capital before small letters, not letters before numbers: what is left has a change in its middle.
_VITE = _EIGHT + r"(?![A-Z]?[a-z]*[0-9_-]*\.)(?![A-Z]*[0-9_-]*\.)(?![0-9_-]*[A-Za-z]?[a-z]*\.)[A-Za-z0-9_-]{8}"

PATTERN = (
    rf"(?:/(?:{_FOLDERS})/.+"
    rf"|(?:{_IN_ASSETS}[A-Za-z0-9_-]{{8}}|[.-](?:[0-9a-f]{{8,64}}|[A-Z2-7]{{8}})){_SCRIPT}"
    rf"|{_IN_ASSETS}{_EIGHT}(?=[A-Za-z]*[0-9_-]){_VITE}{_END}"
    rf"|[.-](?:{_HEX}|{_BASE_32}){_END})$"
)
"""For the end of a URL's path, in the language of both PCRE and Python."""

_NOT_A_UUID = r"(?<![0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)"
_NO_WORD_AND_NUMBER = r"(?![A-Za-z]*[0-9]*\.)(?![0-9]*[A-Za-z]*\.)"
_WORD = r"[A-Z]*[a-z]*(?:[A-Z][a-z]+)*[0-9]*"  # LinkedIn, IMG, v2, 2024
_BOTH_CASES = r"(?=[^.]*[A-Z])(?=[^.]*[a-z])"

FOR_EVER = (
    rf"(?:/(?:{_FOLDERS})/.+"
    rf"|{_IN_ASSETS}{_EIGHT}(?!{_WORD}(?:[_-]{_WORD})*\.){_BOTH_CASES}"
    rf"(?:{_VITE}{_SCRIPT}|(?=[A-Za-z]*[0-9_-]){_VITE}{_END})"
    rf"|[.-]{_NO_WORD_AND_NUMBER}(?:{_NOT_A_UUID}[0-9a-f]{{8,64}}|[A-Z2-7]{{8}}){_END})$"
)
"""Likewise; each name that it takes, `PATTERN` takes, too."""


def matches(path: str) -> bool:
    """
    Return whether a bundler may have made the name of a file, with its folders, of the file's content.

    >>> matches("assets/index-DiwrgTda.js"), matches("assets/index-DiwrgTda.js.gz"), matches("index.html")
    (True, True, False)
    """
    return re.search(PATTERN, f"/{path}") is not None
