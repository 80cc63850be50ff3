# SPDX-License-Identifier: MIT
"""What a timer of call_later holds."""

import asyncio
import os

from . import bench


def nothing():
    pass


async def measure(n):
    loop = asyncio.get_running_loop()
    before = bench.resident_bytes()
    handles = [loop.call_later(3600, nothing) for _ in range(n)]
    bench.emit("memory", "timer", (bench.resident_bytes() - before) / len(handles), "B")
    os._exit(0)


bench.run(measure(bench.count()))
