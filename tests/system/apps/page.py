"""An ASGI app with a page that keeps asking it: by fetch, an event stream and a WebSocket."""

import asyncio
from pathlib import Path

VERSION = Path("VERSION").read_text().strip()
PAGE = """<!doctype html><title>shop</title><link rel=icon href="data:,">
<script>
const seen = { answered: 0, failed: [], versions: [], events: 0, breaks: 0, echoes: 0, closed: [], going: true };
const sleep = (time) => new Promise((done) => setTimeout(done, time));
async function ask(options) {
    const body = options.body ?? "";
    try {
        const answer = await fetch("/ask", options), text = await answer.text();
        if (answer.status != 200 || text != body) seen.failed.push(`${answer.status} ${text.slice(0, 60)}`);
        seen.answered += 1;
        const version = answer.headers.get("x-release");
        if (!seen.versions.includes(version)) seen.versions.push(version);
    } catch (error) {
        seen.failed.push(String(error));
    }
}
async function keepAsking() {
    while (seen.going) {
        await ask({});
        await ask({ method: "POST", body: "x".repeat(2000) });
        await sleep(20);
    }
}
const events = new EventSource("/events");
events.onmessage = () => { seen.events += 1; };
events.onerror = () => { seen.breaks += 1; };
const socket = new WebSocket(`${location.protocol == "https:" ? "wss" : "ws"}://${location.host}/ws`);
socket.onopen = async () => { while (seen.going) { socket.send("hello"); await sleep(50); } };
socket.onmessage = () => { seen.echoes += 1; };
socket.onclose = (event) => seen.closed.push(event.code);
for (let number = 0; number < 4; number += 1) keepAsking();
</script>"""


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/events":
        await events(receive, send)
    elif scope["type"] == "http":
        await answer(scope, receive, send)


def start(kind):
    headers = [(b"content-type", kind), (b"x-release", VERSION.encode())]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def answer(scope, receive, send):
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message.get("more_body"):
            break
    await send(start(b"text/html" if scope["path"] == "/" else b"text/plain"))
    await send({"type": "http.response.body", "body": PAGE.encode() if scope["path"] == "/" else body})


async def events(receive, send):
    await send(start(b"text/event-stream"))
    gone = asyncio.ensure_future(until_gone(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": f"data: {VERSION}\n\n".encode(), "more_body": True})
        await asyncio.wait([gone], timeout=0.1)


async def until_gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
