"""A Socket.IO server that keeps its clients in memory: `say` is answered with the instance and the text."""

import os

import socketio

# A client that polls learns of a new version when its poll has ended: so after two seconds, not the usual 25.
server = socketio.AsyncServer(async_mode="asgi", ping_interval=2)


@server.on("say")
async def say(_, text):
    return [os.environ["ZDD_INSTANCE"], text]


async def health(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well\n"})


app = socketio.ASGIApp(server, health)
