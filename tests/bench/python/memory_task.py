# SPDX-License-Identifier: MIT
"""What a task holds that sleeps."""

import asyncio
import os

from . import bench


async def measure(n):
    before = bench.resident_bytes()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0)  # all tasks run once, and arm their timers
    bench.emit("memory", "sleeping task", (bench.resident_bytes() - before) / len(tasks), "B")
    os._exit(0)  # a million tasks need not be cancelled one by one


bench.run(measure(bench.count()))
