"""plain.py that answers with its version, and with the request's headers as JSON: `echo.py WHERE`."""

import json
import sys

import plain


def converse(connection):
    with connection, connection.makefile("rb") as stream:
        while request := plain.read(stream):
            headers = request[2]
            connection.sendall(plain.whole("200 OK", json.dumps({"version": plain.VERSION, **headers}).encode()))
            if headers.get("connection") == "close":
                return


plain.serve(plain.listen(sys.argv[1]), converse)
