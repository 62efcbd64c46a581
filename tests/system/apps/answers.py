"""
plain.py whose answers a file says: `answers.py WHERE`.

What the file ANSWERS has for a path when the app starts is how it answers there:
{"/path": {"status": "502 Bad Gateway", "header": 9000, "seconds": 2, "before": "HTTP/1.1 103 Early Hints\r\n\r\n"}}
"""

import json
import pathlib
import sys
import time

import plain

ANSWERS = json.loads(pathlib.Path("ANSWERS").read_text())


def converse(connection):
    with connection, connection.makefile("rb") as stream:
        while request := plain.read(stream):
            method, path, headers, body = request
            how = ANSWERS.get(path, {})
            time.sleep(how.get("seconds", 0))
            header = f"X-Large: {'x' * how['header']}\r\n" if "header" in how else ""
            body = body if method == "POST" else f"{plain.NAME} {plain.VERSION}\n".encode()
            answer = plain.whole(how.get("status", "200 OK"), body, header)
            connection.sendall(how.get("before", "").encode() + answer)
            if headers.get("connection") == "close":
                return


plain.serve(plain.listen(sys.argv[1]), converse)
