"""
A service by the classic contract: `server.py NAME [OPTION...]`, run in the folder of its pid file.

It listens on a port of the system's choosing, writes that to PID.port and its pid to NAME.pid, and answers every GET
with NAME and what VERSION held when it started. Options:

    --daemon     goes to the background once it listens
    --pid-first  writes NAME.pid a moment before PID.port
    --spaces     writes numbers among many spaces, and without a newline
    --links      makes both files links into the folder `numbers`
"""

from __future__ import annotations

import os
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer


class Server(ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True


def main(name: str, *options: str) -> None:
    answer = f"{name} {Path('VERSION').read_text().strip()}\n".encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Answer) as server:
        if "--daemon" in options:
            if os.fork():
                os._exit(0)
            os.setsid()
        files = [(f"{os.getpid()}.port", server.server_address[1]), (f"{name}.pid", os.getpid())]
        for path, number in reversed(files) if "--pid-first" in options else files:
            write(path, number, options)
            time.sleep(0.2 if "--pid-first" in options else 0)
        server.serve_forever()


def write(path: str, number: int, options: tuple[str, ...]) -> None:
    text = f"{' ' * 40}{number}{' ' * 40}" if "--spaces" in options else f"{number}\n"
    temporary = f"{path}.new"
    if "--links" in options:
        os.makedirs("numbers", exist_ok=True)
        Path("numbers", path).write_text(text)
        os.symlink(f"numbers/{path}", temporary)
    else:
        Path(temporary).write_text(text)
    os.rename(temporary, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
