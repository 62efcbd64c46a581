"""
The web service that the demo deploys: an ordinary program with only the standard library, which does not know zdd.

It answers GET /, POST /echo, GET /slow and WebSockets at /ws, on the socket that it inherits as file descriptor 3.
"""

import asyncio
import base64
import hashlib
import signal
import socket
import time

RELEASE = "1"  # the demo changes this number for each release

_BOOT = 0.5  # seconds: real programs take time to load
_SLOW = 1.0  # seconds that GET /slow takes
_CLOSE, _PING, _PONG = 8, 9, 10  # WebSocket opcodes (RFC 6455 section 5.2)


async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection, request after request, until either side closes it."""
    try:
        while await answer(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has gone
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; return whether another may follow."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *lines = head.strip().split("\r\n")
    method, path, _ = request.split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(fields.get("content-length", 0)))
    if path == "/ws" and "sec-websocket-key" in fields:
        await websocket(fields["sec-websocket-key"], reader, writer)
        return False
    status = "200 OK"
    match method, path:
        case "GET", "/":
            body = f"Hello from release {RELEASE}\n".encode()
        case "GET", "/slow":
            await asyncio.sleep(_SLOW)
            body = b"Good things take time\n"
        case "POST", "/echo":
            pass
        case _:
            status, body = "404 Not Found", b"There is nothing here\n"
    connection = "close" if fields.get("connection", "").lower() == "close" else "keep-alive"
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Connection: {connection}", f"X-Release: {RELEASE}"]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    return connection == "keep-alive"


async def websocket(key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo every frame, including the close frame (RFC 6455)."""
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Accept: {accept.decode()}", f"X-Release: {RELEASE}"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    opcode = None
    while opcode != _CLOSE:
        first, masked_length = await reader.readexactly(2)
        size = bytes((masked_length & 0x7F,))
        longer = await reader.readexactly({126: 2, 127: 8}.get(size[0], 0))
        mask = await reader.readexactly(4)
        data = await reader.readexactly(int.from_bytes(longer or size, "big"))
        opcode = first & 0x0F
        if opcode != _PONG:
            first = first + 1 if opcode == _PING else first
            writer.write(bytes((first,)) + size + longer + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))
            await writer.drain()


async def main() -> None:
    """Serve until SIGTERM, which comes only once no client is connected: no request is left to finish."""
    time.sleep(_BOOT)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(connected, sock=socket.socket(fileno=3))
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
