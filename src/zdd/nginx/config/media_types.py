"""The media types of files that nginx serves itself, by their names' ends."""

from __future__ import annotations

import re

LINES = """\
default_type application/octet-stream;
types {
    text/html html htm;
    text/css css;
    text/javascript js mjs cjs;
    text/calendar ics;
    text/csv csv;
    text/markdown md;
    text/plain txt;
    text/vtt vtt;
    text/xml xml;
    application/atom+xml atom;
    application/geo+json geojson;
    application/json json map;
    application/ld+json jsonld;
    application/manifest+json webmanifest;
    application/pdf pdf;
    application/rss+xml rss;
    application/vnd.apple.mpegurl m3u8;
    application/vnd.ms-fontobject eot;
    application/wasm wasm;
    application/xhtml+xml xhtml;
    application/zip zip;
    audio/aac aac;
    audio/flac flac;
    audio/mp4 m4a;
    audio/mpeg mp3;
    audio/ogg oga ogg;
    audio/wav wav;
    font/otf otf;
    font/ttf ttf;
    font/woff woff;
    font/woff2 woff2;
    image/avif avif;
    image/gif gif;
    image/jpeg jpeg jpg;
    image/jxl jxl;
    image/png png;
    image/svg+xml svg;
    image/webp webp;
    image/x-icon ico;
    model/gltf-binary glb;
    video/mp2t ts;
    video/mp4 mp4;
    video/quicktime mov;
    video/webm webm;
}
charset_types text/css text/csv text/javascript text/markdown text/plain text/vtt;"""

_PAGES = ("text/html", "application/xhtml+xml")
ENDINGS = tuple(
    ending
    for kind, endings in re.findall(r"(?m)^    (\S+) (.+);$", LINES)
    if kind not in _PAGES
    for ending in endings.split()
)
"""The ends of the names of files that are no pages: scripts, style sheets, pictures, fonts, data."""
