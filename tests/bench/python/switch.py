# SPDX-License-Identifier: MIT
"""Tasks that yield to each other by sleep(0)."""

import asyncio
import time

from . import bench


async def yielder(yields):
    for _ in range(yields):
        await asyncio.sleep(0)


async def measure(tasks, switches):
    start = time.perf_counter()
    for task in [asyncio.create_task(yielder(switches // tasks)) for _ in range(tasks)]:
        await task
    return bench.per_op(start, switches)


bench.emit("switch", "2 tasks", bench.run(measure(2, bench.count())), "ns")
bench.emit("switch", "1000 tasks", bench.run(measure(1000, bench.count())), "ns")
