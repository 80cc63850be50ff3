# SPDX-License-Identifier: MIT
"""run_in_executor, on a pool of four threads."""

import asyncio
import concurrent.futures
import threading
import time

from . import bench


def nothing():
    pass


async def trips(n):
    loop = asyncio.get_running_loop()
    for _ in range(n):
        await loop.run_in_executor(pool, nothing)


async def measure(n, in_flight):
    start = time.perf_counter()
    for task in [asyncio.create_task(trips(n // in_flight)) for _ in range(in_flight)]:
        await task
    return bench.per_op(start, n // in_flight * in_flight)


bench.pin_thread(1)  # the pool has one processor, the loop the other
pool = concurrent.futures.ThreadPoolExecutor(4)
all_there = threading.Barrier(4)
list(pool.map(lambda _: all_there.wait(), range(4)))
bench.pin_thread(0)
bench.emit("thread", "1 in flight", bench.run(measure(bench.count(), 1)), "ns")
bench.emit("thread", "64 in flight", bench.run(measure(10 * bench.count(), 64)), "ns")
