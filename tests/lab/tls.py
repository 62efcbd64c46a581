"""`tls.py PORT HOST NAME`: what connects to PORT here speaks TLS to HOST:443, a connection for each."""

from __future__ import annotations

import asyncio
import ssl
import sys


async def main(port: str, host: str, name: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, ours = await asyncio.open_connection(host, 443, ssl=context, server_hostname=name)
        except OSError:
            writer.transport.abort()
            return
        done, rest = await asyncio.wait(
            [asyncio.create_task(pump(reader, ours)), asyncio.create_task(pump(theirs, writer))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for end in (writer, ours):  # who ends it, and how, is to be seen on the other side
            end.close()
        await asyncio.wait([*done, *rest])

    server = await asyncio.start_server(converse, "127.0.0.1", int(port))
    print("ready", flush=True)
    await server.serve_forever()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
