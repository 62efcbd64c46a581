r"""
Names of files that tell their content, as bundlers make them: another content has another name.

So browsers may keep such a file for ever, and an old one stays right beside a new one. What only looks so would be kept
for ever although it changes; what is not recognized is asked for at each visit, and answered 304. So a name counts only
if chance and habit do not make such names:

    index.55e7cbb9ba48.js, main-073c9b0a.chunk.css      8 to 64 hexadecimal digits, of both letters and numbers
    assets/index-DiwrgTda.js                            below assets/, 8 letters as Vite makes them: not all in one
                                                        case, nor with a capital or number only at one end, as in a
                                                        word; with a number inside if it is no script or style sheet
    main-5ZHV3MVF.js                                    8 capitals and digits of base32 with both, as esbuild makes them
    _next/static/..., _astro/..., _app/immutable/...    all files in there, whose frameworks promise it

Photos of a day (photo-20240101.jpg), versions (jquery-3.7.1.min.js) and words (icon-LinkedIn.svg) do not count.
"""

from __future__ import annotations

import re

_END = r"(?:\.[A-Za-z0-9]{1,11}){1,3}"  # .js, .chunk.css, .js.map.gz
_HEX = r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}"
_BASE_32 = r"(?=[A-Z]*[2-7])(?=[2-7]*[A-Z])[A-Z2-7]{8}"
# Not one capital before small letters, not letters before numbers: what is left has a change in its middle.
_VITE = r"(?![A-Z]?[a-z]*[0-9_-]*\.)(?![A-Z]*[0-9_-]*\.)(?![0-9_-]*[A-Za-z]?[a-z]*\.)[A-Za-z0-9_-]{8}"
_FOLDERS = r"_next/static|_astro|_app/immutable"

PATTERN = (
    rf"(?:/(?:{_FOLDERS})/.+"
    rf"|/assets/(?:[^/]+/)*[^/]*-{_VITE}\.(?:m?js|css)(?:\.map)?(?:\.gz|\.br)?"
    rf"|/assets/(?:[^/]+/)*[^/]*-(?=[A-Za-z]*[0-9_-]){_VITE}{_END}"
    rf"|[.-](?:{_HEX}|{_BASE_32}){_END})$"
)
"""For the end of a URL's path, in the language of both PCRE and Python."""

_COMPILED = re.compile(PATTERN)


def matches(path: str) -> bool:
    """
    Return whether the name of a file, with its folders, tells its content.

    >>> matches("assets/index-DiwrgTda.js"), matches("assets/index-DiwrgTda.js.gz"), matches("index.html")
    (True, True, False)
    """
    return _COMPILED.search(f"/{path}") is not None
