"""
Real Gradio clients: `talkers.py URL COUNT FILE`, with a folder to write to; each is one visitor, by cookie and address.

Each calls every function of talk.py and begins a stream, which ends when FILE exists. Then "streaming" is printed, and
once all streams have ended one line of JSON: for each client the words of its calls before, of its stream, and after.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from gradio_client import Client, handle_file

URL, COUNT, FILE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
PATIENCE = 90  # seconds
found, streaming = {}, threading.Semaphore(0)


def calls(client, path):
    return [
        client.submit("kim", api_name="/hello").result(PATIENCE),
        client.submit("a", api_name="/remember").result(PATIENCE),
        client.submit("b", api_name="/remember").result(PATIENCE),
        client.submit(handle_file(path), api_name="/size").result(PATIENCE),
    ]


def talk(number, path):
    try:
        headers = {"Cookie": f"who={number}", "X-Forwarded-For": f"203.0.113.{number}"}
        client = Client(URL, verbose=False, headers=headers, analytics_enabled=False)
        before = calls(client, path)
        stream = client.submit(FILE, api_name="/count")
        deadline = time.monotonic() + PATIENCE
        while not stream.outputs():
            if stream.done() or time.monotonic() > deadline:
                raise RuntimeError("no stream")
            time.sleep(0.05)
        streaming.release()
        stream.result(PATIENCE)
        found[number] = [before, stream.outputs(), calls(client, path)]
    except BaseException as problem:  # CancelledError is no Exception
        found[number] = f"{type(problem).__name__}: {problem}"
        streaming.release()


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "upload.bin")
    file.write_bytes(b"x" * 100_000)
    threads = [threading.Thread(target=talk, args=(number, file), daemon=True) for number in range(1, COUNT + 1)]
    for thread in threads:
        thread.start()
    for _ in threads:
        streaming.acquire()
    print("streaming", flush=True)
    for thread in threads:
        thread.join()
print(json.dumps([found[number] for number in sorted(found)]), flush=True)
