"""
A gRPC service: `rpc.py PATH`; `rpc.py --ask PATH` asks it and exits 0 when it is well.

/shop.Shop/Version answers with what VERSION held at its start, /shop.Shop/Echo with each message it is sent, Count with
as many messages as it is told, one every 20 ms, and Sum with the length of all that it is sent. With
HEALTH in its environment there is also grpc.health.v1.Health/Check: its answer has that number as its status, or, for a
word, fails with that status of gRPC.
"""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc


def main(path):
    version = Path("VERSION").read_text().strip().encode()

    def ask(request, context):
        context.set_trailing_metadata((("x-release", version.decode()),))
        return version

    def echo(requests, context):
        for request in requests:
            yield version + b" " + request
        context.set_trailing_metadata((("x-release", version.decode()),))

    def count(request, context):
        for number in range(int(request)):
            time.sleep(0.02)
            yield version + b" %d" % number

    methods = {
        "Version": grpc.unary_unary_rpc_method_handler(ask),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Sum": grpc.stream_unary_rpc_method_handler(lambda requests, _: version + b" %d" % sum(map(len, requests))),
    }
    server = grpc.server(ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", methods),))
    if health := os.environ.get("HEALTH"):
        check = {"Check": grpc.unary_unary_rpc_method_handler(lambda *call: well(health, call[1]))}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", check),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    told.wait()
    server.stop(grace=5).wait()


def well(health, context):
    if not health.isdecimal():
        context.abort(grpc.StatusCode[health], "as it was told, \u20ac")
    return bytes([8, int(health)]) if health != "0" else b""


def ask(path):
    with grpc.insecure_channel(f"unix:{path}") as channel:
        channel.unary_unary("/shop.Shop/Version")(b"", timeout=2)


if __name__ == "__main__":
    ask(sys.argv[2]) if sys.argv[1] == "--ask" else main(sys.argv[1])
