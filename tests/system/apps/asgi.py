"""
A small ASGI app: GET /, POST /echo, GET /slow and /stream, WebSockets at /ws; VERSION is read once, at its start.

/half/FILE is a megabyte whose second half comes once the file is there, /events/FILE sends events until then, and
/silent/FILE says nothing until then.
"""

import asyncio
import os
from pathlib import Path

VERSION = Path("VERSION").read_text().strip()
HEADERS = [(b"x-release", VERSION.encode()), (b"x-pid", str(os.getpid()).encode())]


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await answer(scope["path"], receive, send)


async def answer(path, receive, send):
    body = b""
    while True:
        message = await receive()
        if not body and message.get("body") and message.get("more_body"):
            print("is reading", flush=True)
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if path.startswith(("/half/", "/events/")):
        await last(path.split("/")[1], path.split("/")[2], send)
        return
    while path.startswith("/silent/") and not os.path.exists(path.split("/")[2]):
        await asyncio.sleep(0.02)
    if path == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    for _ in range(20 if path == "/stream" else 0):
        line = f"line of version {VERSION}\n".encode()
        await send({"type": "http.response.body", "body": line, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": body or f"version {VERSION}\n".encode()})


async def last(what, file, send):
    if what == "half":
        data = b"".join(b"%06d of version %s\n" % (number, VERSION.encode()) for number in range(50_000))
        headers = [(b"content-length", str(len(data)).encode())]
        parts = [data[: len(data) // 2], data[len(data) // 2 :]]
    else:
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        parts = [b"event: bye\ndata: %s\n\n" % VERSION.encode()]
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS + headers})
    if what == "half":
        await send({"type": "http.response.body", "body": parts.pop(0), "more_body": True})
    number = 0
    while not os.path.exists(file):
        if what == "events":
            event = b"id: %d\ndata: %s\n\n" % (number, VERSION.encode())
            await send({"type": "http.response.body", "body": event, "more_body": True})
            number += 1
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": parts[0]})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": HEADERS})
    print("has accepted a WebSocket", flush=True)
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    print(f"version {VERSION} has seen a WebSocket end", flush=True)
