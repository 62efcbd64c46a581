"""The app of the ASGI recipes: GET / and /slow, POST /echo; it tells with which deploy it came."""

import asyncio
import os

HEADERS = [(b"content-type", b"text/plain"), (b"x-deploy", os.environ.get("ZDD_DEPLOY", "0").encode())]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in ("startup", "shutdown"):
            await send({"type": (await receive())["type"] + ".complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": body or b"hello\n"})
