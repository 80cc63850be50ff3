# SPDX-License-Identifier: MIT
"""An echo server of protocols, or of streams.

python3 -m python.server asyncio|uvloop protocol|streams echo|accept|tls [CERT KEY]
"""

import asyncio
import ssl
import sys

from . import bench

STYLE, MODE = sys.argv[2:4]


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        if MODE == "accept":
            transport.close()

    def data_received(self, data):
        self.transport.write(data)


async def echo(reader, writer):
    while MODE != "accept" and (data := await reader.read(65536)):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve():
    tls = None
    if MODE == "tls":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*sys.argv[4:6])
    options = {"host": "127.0.0.1", "port": 0, "ssl": tls, "backlog": 4096}
    if STYLE == "streams":
        server = await asyncio.start_server(echo, **options)
    else:
        server = await asyncio.get_running_loop().create_server(Echo, **options)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


bench.run(serve())
