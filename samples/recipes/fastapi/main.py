"""GET / and /slow, POST /echo; it tells with which deploy it came."""

import asyncio
import os

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.middleware("http")
async def tell_deploy(request: Request, call_next):
    response = await call_next(request)
    response.headers["X-Deploy"] = os.environ.get("ZDD_DEPLOY", "0")
    return response


@app.get("/")
async def hello():
    return {"hello": "world"}


@app.get("/slow")
async def slow():
    await asyncio.sleep(0.5)
    return {"hello": "at last"}


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body())
