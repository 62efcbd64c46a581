"""A small ASGI app: GET /, POST /echo, GET /slow and /stream, WebSockets at /ws; VERSION is read once, at its start."""

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
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if path == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    for _ in range(20 if path == "/stream" else 0):
        line = f"line of version {VERSION}\n".encode()
        await send({"type": "http.response.body", "body": line, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": body or f"version {VERSION}\n".encode()})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": HEADERS})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    print(f"version {VERSION} has seen a WebSocket end", flush=True)
