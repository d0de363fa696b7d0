#!/usr/bin/env python3
"""A small demo origin: answers every request with its own name and what it received.

    origin.py NAME PORT [READY-FILE]

HTTP/1.1 with keep-alive on 127.0.0.1. Port 0 asks the system for one; READY-FILE, if named, gets the port once
the origin listens.
"""

import asyncio
import json
import sys

HEAD_BYTES_MAX = 64 * 1024


async def read_request(reader):
    """The method, target, fields and body of one request, or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ", 2)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while (await reader.readline()).strip():
            pass
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return method, target, fields, body


async def serve(name, reader, writer):
    try:
        while request := await read_request(reader):
            method, target, fields, body = request
            answer = json.dumps({"origin": name, "method": method, "path": target, "host": fields.get("host"),
                                 "forwarded": fields.get("forwarded"), "bodyBytes": len(body)}).encode() + b"\n"
            # The Server field is here to show that the proxy hides it.
            writer.write(b"HTTP/1.1 200 OK\r\nserver: demo/1\r\ncontent-type: application/json\r\n"
                         + b"content-length: %d\r\n\r\n" % len(answer) + (b"" if method == "HEAD" else answer))
            await writer.drain()
            if fields.get("connection", "").lower() == "close":
                break
    except (ConnectionError, ValueError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(name, port, ready_file=None):
    server = await asyncio.start_server(lambda r, w: serve(name, r, w), "127.0.0.1", port, limit=HEAD_BYTES_MAX)
    if ready_file:
        with open(ready_file, "w", encoding="ascii") as file:
            file.write(f"{server.sockets[0].getsockname()[1]}\n")
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
