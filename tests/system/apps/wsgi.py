"""The same for WSGI."""

import os
import time
from pathlib import Path

VERSION = Path("VERSION").read_text().strip()


def app(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else f"version {VERSION}\n".encode()
    if environ["PATH_INFO"] == "/slow":
        time.sleep(float(os.environ.get("SLOW", "0.5")))
    headers = [("X-Release", VERSION), ("X-Pid", str(os.getpid())), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
