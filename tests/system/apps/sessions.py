"""
An app that keeps sessions in its own memory: `sessions.py FD`.

/open begins a session and says which instance has it, as INSTANCE NUMBER; /poll/NUMBER answers after a moment, or 404
where no session has that number; /slow/SECONDS answers then.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSIONS = set()
INSTANCE = os.environ["ZDD_INSTANCE"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "nginx"

    def do_GET(self):
        status, text = 200, INSTANCE
        if self.path == "/open":
            SESSIONS.add(number := uuid.uuid4().hex)
            text = f"{INSTANCE} {number}"
        elif self.path.startswith("/poll/"):
            time.sleep(0.05)
            status = 200 if self.path.removeprefix("/poll/") in SESSIONS else 404
        elif self.path == "/headers":
            text = json.dumps({name.lower(): value for name, value in self.headers.items()})
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fd):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket = socket.socket(fileno=fd)
        self.server_name, self.server_port = "localhost", 0

    def get_request(self):
        connection, _ = self.socket.accept()
        return connection, ("nginx", 0)


server = Server(int(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
