"""The app of all Python peers: half a second of CPU to import it, a millisecond for a request, about."""

from pathlib import Path

VERSION = Path("VERSION").read_text().strip()


def work(milliseconds):
    for _ in range(milliseconds):
        sum(range(80_000))


def app(environ, start_response):
    work(1)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b"hello\n"
    start_response("200 OK", [("X-Release", VERSION), ("Content-Length", str(len(body)))])
    return [body]


work(500)
