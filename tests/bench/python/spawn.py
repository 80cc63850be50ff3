# SPDX-License-Identifier: MIT
"""A thousand tasks at a time, each awaited."""

import asyncio
import time

from . import bench

BATCH = 1000


async def no_op():
    pass


async def measure(n):
    start = time.perf_counter()
    for _ in range(n // BATCH):
        for task in [asyncio.create_task(no_op()) for _ in range(BATCH)]:
            await task
    return bench.per_op(start, n)


bench.emit("spawn", "spawn + join", bench.run(measure(bench.count())), "ns")
