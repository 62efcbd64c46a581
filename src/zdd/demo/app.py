"""
The web service that the demo deploys: an ordinary program on the standard library, which knows nothing of zdd.

It answers GET /, POST /echo, GET /slow and WebSockets at /ws, on the socket that it inherits as file descriptor 3.
"""

import asyncio
import base64
import hashlib
import signal
import socket
from collections.abc import Coroutine

RELEASE = "1"  # the demo writes another number here for each release

_SLOW = 1.0  # seconds that GET /slow takes
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10  # WebSocket opcodes (RFC 6455 section 5.2)


class Stopping(Exception):
    """Said to connections that wait for their next request or message."""


class App:
    """Serves until it is stopped; then it finishes what was asked and goes."""

    def __init__(self) -> None:
        self._stop = asyncio.get_running_loop().create_future()
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self, listener: socket.socket) -> None:
        """Serve until SIGTERM."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)
        server = await asyncio.start_server(self._connected, sock=listener)
        await asyncio.wait([self._stop])
        server.close()
        if self._connections:
            await asyncio.wait(self._connections)

    def stop(self) -> None:
        """Take no more requests; `run` returns once all under way are answered."""
        if not self._stop.done():
            self._stop.set_result(None)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: request after request, until either side has had enough."""
        try:
            while await self._answer(reader, writer):
                pass
        except (Stopping, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; returns whether another one may follow."""
        head = (await self._unless_stopping(reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        request, *lines = head.strip().split("\r\n")
        method, path, _ = request.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if (method, path) == ("GET", "/ws") and "sec-websocket-key" in fields:
            await self._websocket(fields["sec-websocket-key"], reader, writer)
            return False
        match method, path:
            case "GET", "/":
                status, body = "200 OK", f"Hello from release {RELEASE}\n".encode()
            case "POST", "/echo":
                status = "200 OK"
            case "GET", "/slow":
                await asyncio.sleep(_SLOW)
                status, body = "200 OK", b"Good things take time\n"
            case _:
                status, body = "404 Not Found", b"There is nothing here\n"
        keep = fields.get("connection", "").lower() != "close"
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"X-Release: {RELEASE}"]
        lines += [] if keep else ["Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return keep

    async def _websocket(self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo every message, until either side closes (RFC 6455)."""
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {accept.decode()}", f"X-Release: {RELEASE}", "", ""]
        writer.write("\r\n".join(lines).encode())
        opcode = _TEXT
        while opcode != _CLOSE:
            try:
                first, length = await self._unless_stopping(reader.readexactly(2))
            except Stopping:
                writer.write(bytes((0x80 | _CLOSE, 2)) + (1001).to_bytes(2, "big"))  # going away
                return
            size = bytes((length & 0x7F,))
            if size[0] > 125:
                size += await reader.readexactly(2 if size[0] == 126 else 8)
            mask = await reader.readexactly(4)
            data = await reader.readexactly(int.from_bytes(size[1:] or size, "big"))
            opcode = first & 0x0F
            if opcode != _PONG:
                first = 0x80 | _PONG if opcode == _PING else first
                writer.write(bytes((first,)) + size + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))
                await writer.drain()

    async def _unless_stopping(self, read: Coroutine[None, None, bytes]) -> bytes:
        task = asyncio.ensure_future(read)
        await asyncio.wait((task, self._stop), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            raise Stopping
        return task.result()


async def main() -> None:
    """Serve on the inherited socket."""
    await App().run(socket.socket(fileno=3))


if __name__ == "__main__":
    asyncio.run(main())
