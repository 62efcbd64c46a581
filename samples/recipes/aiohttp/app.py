"""GET / and /slow, POST /echo; it tells with which deploy it came."""

import asyncio
import os
import socket
import sys

from aiohttp import web

HEADERS = {"X-Deploy": os.environ.get("ZDD_DEPLOY", "0")}


async def hello(request):
    return web.Response(text="hello\n", headers=HEADERS)


async def slow(request):
    await asyncio.sleep(0.5)
    return await hello(request)


async def echo(request):
    return web.Response(body=await request.read(), headers=HEADERS)


app = web.Application()
app.add_routes([web.get("/", hello), web.get("/slow", slow), web.post("/echo", echo)])

if __name__ == "__main__":
    web.run_app(app, sock=socket.socket(fileno=int(sys.argv[1])))
