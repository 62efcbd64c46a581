"""The media types of files that nginx serves itself, by their names' ends."""

LINES = """\
default_type application/octet-stream;
types {
    text/html html htm;
    text/css css;
    text/javascript js mjs;
    text/plain txt map;
    text/xml xml;
    application/json json;
    application/manifest+json webmanifest;
    application/pdf pdf;
    application/wasm wasm;
    application/zip zip;
    audio/mpeg mp3;
    audio/ogg ogg;
    font/otf otf;
    font/ttf ttf;
    font/woff woff;
    font/woff2 woff2;
    image/avif avif;
    image/gif gif;
    image/jpeg jpeg jpg;
    image/png png;
    image/svg+xml svg;
    image/webp webp;
    image/x-icon ico;
    video/mp4 mp4;
    video/webm webm;
}"""
