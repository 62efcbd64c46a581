"""
A Socket.IO server that keeps its clients in memory: `say` is answered with the instance and the text.

The number of a session begins with its instance; a request that meets another one stands in the output.
"""

import os
import secrets
from urllib.parse import parse_qs

import socketio

INSTANCE = os.environ["ZDD_INSTANCE"]

# A client that polls learns of a new version when its poll has ended: so after two seconds, not the usual 25.
server = socketio.AsyncServer(async_mode="asgi", ping_interval=2)
server.eio.generate_id = lambda: f"{INSTANCE}.{secrets.token_urlsafe(12)}"


@server.on("say")
async def say(_, text):
    return [INSTANCE, text]


async def health(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well\n"})


chat = socketio.ASGIApp(server, health)


async def app(scope, receive, send):
    for session in parse_qs(scope.get("query_string", b"").decode()).get("sid", []):
        if (home := session.partition(".")[0]) != INSTANCE:
            print(f"session of {home} at {INSTANCE}", flush=True)
    await chat(scope, receive, send)
