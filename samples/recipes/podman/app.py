"""GET / and /slow, POST /echo; it tells with which deploy it came."""

import os
import signal
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.5)
        self.answer(b"hello\n")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body):
        self.send_response(200)
        self.send_header("X-Deploy", os.environ.get("ZDD_DEPLOY", "0"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 511


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # process 1 of a container has no other way to be told
    Server(sys.argv[1], Handler).serve_forever()
