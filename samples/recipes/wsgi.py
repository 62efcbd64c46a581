"""The app of the WSGI recipes: GET / and /slow, POST /echo; it tells with which deploy it came."""

import os
import time

DEPLOY = os.environ.get("ZDD_DEPLOY", "0")


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"hello\n"
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.5)
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("X-Deploy", DEPLOY)]
    start_response("200 OK", headers)
    return [body]
