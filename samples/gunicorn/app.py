"""A small WSGI application; settings_gunicorn.py says how gunicorn runs it for zdd."""

import time
from pathlib import Path
from urllib.parse import parse_qs

VERSION = Path(__file__).with_name("VERSION").read_text().strip()


def app(environ, start_response):
    status, body = answer(environ)
    headers = [
        ("Content-Type", "text/plain"),
        ("Content-Length", str(len(body))),
        ("X-Release", VERSION),
    ]
    start_response(status, headers)
    return [body]


def answer(environ):
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/":
            return "200 OK", f"Hello from gunicorn, version {VERSION}\n".encode()
        case "GET", "/health":
            return "200 OK", b"ok\n"
        case "GET", "/slow":
            return slow(parse_qs(environ["QUERY_STRING"]))
        case "POST", "/echo":
            return "200 OK", environ["wsgi.input"].read()
    return "404 Not Found", b"not found\n"


def slow(query):
    """Answer after `seconds`, at most 10 of them."""
    try:
        seconds = min(10, max(0, float(query.get("seconds", ["0.5"])[0])))
    except ValueError:
        return "400 Bad Request", b"seconds must be a number\n"
    time.sleep(seconds)
    return "200 OK", f"slept {seconds} s\n".encode()
